import { expect, test } from '@jest/globals';
import { ORDER_STATUSES, type OrderStatus, type OrderView, type UnplacedMoney } from '../../../sql/orders.ts';
import { statusAnswer } from '../../orders/order-answer.ts';
import { documentBytes } from '../html.ts';
import { loadAssets } from '../assets.ts';
import { layout } from '../layout.ts';
import { LANGUAGES, type Language } from '../language.ts';
import { maskedEmail } from './masked-email.ts';
import { orderPage } from './order-page.ts';
import { ORDER } from './texts.ts';
import { timeText } from './time-text.ts';

const NOW = new Date('2026-01-01T10:00:00Z');
const assets = loadAssets();
const desk = {
  bank: { bin: '970422', accountNumber: '0123456789', accountName: 'LADING TEST' },
  publicUrl: 'https://api.example',
  tokenKey: Buffer.alloc(32, 1),
};
const money = (reason: string, decision: UnplacedMoney['decision'] = null): UnplacedMoney => ({
  reason,
  amountVnd: 499_000,
  transferredAt: '2026-01-01T09:00:00.000Z',
  decision,
});
const view = (status: OrderStatus, given: Partial<OrderView> = {}): OrderView => ({
  id: '00000000-0000-4000-8000-000000000001',
  code: 'LD23456789AB',
  course_id: 'handbook',
  course_title: 'The handbook',
  email: 'reader@mail.example',
  amount_vnd: 499_000,
  paid_vnd: 0,
  status,
  created_at: NOW,
  expires_at: new Date('2026-01-01T11:00:00Z'),
  job_id: null,
  dead_reason: status === 'failed' ? 'attempts_exhausted' : null,
  folder_id: status === 'completed' ? 'folder' : null,
  attempts_started: 2,
  progress: null,
  unplaced: [],
  ...given,
});
const waits = { ahead: 2, slots: 1, slots_used: 1, paused: false, back_off_seconds: 0, attempt_seconds: 60 };

function pageOf(language: Language, order: OrderView, contact?: string): string {
  const seen = { order, waits: true, answer: statusAnswer(desk, order, waits) };
  return documentBytes(
    layout(assets, language, orderPage(language, { seen, token: 'x'.repeat(43), contact, now: NOW })),
  ).toString();
}

test.each(LANGUAGES.flatMap((language) => ORDER_STATUSES.map((status) => [language, status] as const)))(
  'in %s an order that is %s is told whole',
  (language, status) => {
    const page = pageOf(language, view(status, { unplaced: [money('expired'), money('unheard of', 'ignored')] }));
    expect(page).toContain(`<html lang="${language}">`);
    expect(page).toContain('LD23456789AB');
    expect(page).toContain(ORDER[language].unplaced.waits);
    expect(page).toContain(ORDER[language].unplaced.decided);
    expect(page).not.toMatch(/undefined|\[object|NaN|reader@mail/);
  },
);

test('a failed order says whether its money goes back or somebody decides', () => {
  const failed = (dead_reason: string, paid_vnd = 499_000): string =>
    pageOf('en', view('failed', { dead_reason, paid_vnd }));
  expect(failed('protected_content')).toContain('499,000 ₫ will go back');
  expect(failed('attempts_exhausted')).toContain('have the download run again or give the money back');
  expect(failed('constructor')).toContain('have the download run again or give the money back');
  expect(failed('cancelled', 0)).toContain('No money of this order is kept');
});

test('an order that expired half paid says what becomes of the half, and is not ordered again by mistake', () => {
  const page = pageOf('vi', view('expired', { paid_vnd: 99_000 }), 'help@shop.example');
  expect(page).toContain('Đơn hết hạn khi mới nhận được 99.000 ₫');
  expect(page).toContain('mailto:help@shop.example?subject=LD23456789AB');
  expect(page).not.toContain('/?course=');
  expect(pageOf('vi', view('expired'))).toContain('/?course=handbook');
});

test('only what is left is in the code of a part-paid order', () => {
  const { qr, leftVnd } = statusAnswer(desk, view('pending', { paid_vnd: 99_000 }), undefined);
  expect([leftVnd, qr?.payload.includes('5406400000')]).toEqual([400_000, true]);
  expect(statusAnswer(desk, view('paid', { paid_vnd: 499_000 }), undefined)).toMatchObject({ leftVnd: 0, qr: null });
});

test.each([
  ['reader@mail.example', 'r•••@mail.example'],
  ['x@b.vn', 'x•••@b.vn'],
])('%s is shown as %s', (email, shown) => {
  expect(maskedEmail(email)).toBe(shown);
});

test('times are those of Vietnam, with the day where it is another', () => {
  expect(timeText('vi', new Date('2026-01-01T11:00:00Z'), NOW)).toBe('18:00');
  expect(timeText('vi', new Date('2026-01-01T17:30:00Z'), NOW)).toMatch(/^00:30 0?2[/-]0?1$/);
});
