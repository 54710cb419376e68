import { expect, test } from '@jest/globals';
import { TWIN_CANDIDATES_MAX } from '../../sql/payments.ts';
import { twinOf } from './twin.ts';

const at = new Date('2026-01-31T00:00:00Z');
const later = new Date(at.getTime() + 1_000);
const transaction = { reference: 'FT26001', content: 'LDK7P2QX9MAB chuyen tien', transferredAt: at };
const told = { event_id: 1, reference: 'FT26001', content: 'LDK7P2QX9MAB CHUYEN TIEN', transferred_at: at };

const DOUBT = { doubtful: true, mayRepeat: 1 };

test.each([
  ['the same reference and time', {}, [told], { twin: 1 }],
  ['the same order in another text', {}, [{ ...told, content: 'CK LDK7P2QX9MAB' }], { twin: 1 }],
  [
    'another order: banks use numbers again',
    {},
    [{ ...told, content: 'LDK7P2QX9MAC chuyen tien' }],
    { doubtful: false },
  ],
  ['no order in one of the texts', {}, [{ ...told, content: 'chuyen tien' }], DOUBT],
  ['a text that was cut', { content: 'chuyen tien nha' }, [{ ...told, content: 'Chuyen tien' }], { twin: 1 }],
  ['two texts without an order', { content: 'chuyen tien' }, [{ ...told, content: 'nha' }], DOUBT],
  ['no text at all in one of them', { content: 'chuyen tien' }, [{ ...told, content: '' }], DOUBT],
  [
    'of equal ones that with the same text',
    {},
    [
      { ...told, content: 'x' },
      { ...told, event_id: 2 },
    ],
    { twin: 2 },
  ],
  ['no references, the same time and text', { reference: '' }, [{ ...told, reference: '' }], { twin: 1 }],
  ['no references, the same time only', { reference: '' }, [{ ...told, reference: '', content: 'x' }], DOUBT],
  ['one reference, the same text', {}, [{ ...told, reference: '', transferred_at: later }], DOUBT],
  [
    'one reference, nothing else alike',
    {},
    [{ ...told, reference: '', content: 'x', transferred_at: later }],
    { doubtful: false },
  ],
  ['the same reference at another time', {}, [{ ...told, transferred_at: later }], DOUBT],
  ['other references', {}, [{ ...told, reference: 'FT26002' }], { doubtful: false }],
  ['nothing to compare with', {}, [], { doubtful: false }],
])('%s', (_, changes, candidates, expected) => {
  expect(twinOf({ ...transaction, ...changes }, candidates)).toEqual(expected);
});

test('where there may be more candidates than were looked at, none alike is a doubt', () => {
  const other = { ...told, reference: 'FT26002', content: 'x', transferred_at: later };
  const of = (count: number) =>
    twinOf(
      transaction,
      Array.from({ length: count }, () => other),
    );
  expect(of(TWIN_CANDIDATES_MAX - 1)).toEqual({ doubtful: false });
  expect(of(TWIN_CANDIDATES_MAX)).toEqual({ doubtful: true });
  expect(twinOf(transaction, [told, ...Array.from({ length: TWIN_CANDIDATES_MAX }, () => other)])).toEqual({ twin: 1 });
});
