/** What stands around every page of the console. */
import type { Texts } from '../language.ts';

export type ConsoleTexts = {
  console: string;
  nav: Readonly<
    Record<'overview' | 'jobs' | 'orders' | 'deadLetters' | 'payments' | 'courses' | 'engines' | 'audit', string>
  >;
  logIn: string;
  logOut: string;
  key: string;
  keyHint: string;
  keyRefused: string;
  roleRefused: string;
  roles: Readonly<Record<string, string>>;
  refused: string;
  back: string;
  reason: string;
  reasonHint: string;
  next: string;
  none: string;
  readOnly: string;
  table: string;
  live: string;
  liveLost: string;
};

export const CONSOLE: Texts<ConsoleTexts> = {
  vi: {
    console: 'Bảng điều khiển',
    nav: {
      overview: 'Tổng quan',
      jobs: 'Công việc',
      orders: 'Đơn hàng',
      deadLetters: 'Đã hỏng',
      payments: 'Tiền chưa khớp',
      courses: 'Khóa học',
      engines: 'Máy chạy',
      audit: 'Nhật ký',
    },
    logIn: 'Đăng nhập',
    logOut: 'Đăng xuất',
    key: 'Khóa API',
    keyHint: 'Khóa operator hoặc auditor, dạng lk_…; tạo bằng `lading keys create`.',
    keyRefused: 'Khóa này không mở được. Có thể nó đã hết hạn hoặc bị thu hồi.',
    roleRefused: 'Khóa của cửa hàng không mở được bảng điều khiển.',
    roles: { operator: 'vận hành', auditor: 'kiểm toán, chỉ đọc' },
    refused: 'Không thực hiện được',
    back: 'Quay lại',
    reason: 'Lý do',
    reasonHint: 'Được lưu cùng thao tác.',
    next: 'Trang sau',
    none: 'Không có gì.',
    readOnly: 'Chỉ đọc',
    table: 'Dạng bảng',
    live: 'tự cập nhật',
    liveLost: 'mất kết nối, đang thử lại',
  },
  en: {
    console: 'Console',
    nav: {
      overview: 'Overview',
      jobs: 'Jobs',
      orders: 'Orders',
      deadLetters: 'Dead letters',
      payments: 'Unplaced money',
      courses: 'Courses',
      engines: 'Engines',
      audit: 'Audit trail',
    },
    logIn: 'Log in',
    logOut: 'Log out',
    key: 'API key',
    keyHint: 'The key of an operator or auditor, lk_…; `lading keys create` makes one.',
    keyRefused: 'This key opens nothing. It may have ended, or was revoked.',
    roleRefused: 'The key of a shop does not open the console.',
    roles: { operator: 'operator', auditor: 'auditor, read-only' },
    refused: 'This was not done',
    back: 'Back',
    reason: 'Reason',
    reasonHint: 'Stays with what is done.',
    next: 'Next page',
    none: 'There is nothing.',
    readOnly: 'Read-only',
    table: 'As a table',
    live: 'live',
    liveLost: 'connection lost, trying again',
  },
};
