/** Names of states and outcomes for people. In English they are the words of the glossary. */
import type { Language } from '../language.ts';
import { OUTCOMES, type Outcome } from '../../../sql/outcomes.ts';

const STATES_VI: Readonly<Record<string, string>> = {
  paid: 'đã trả tiền',
  enrolling: 'đang ghi danh',
  enrolled: 'chờ chạy',
  attempting: 'đang chạy',
  delivering: 'đang giao',
  completed: 'hoàn thành',
  dead: 'hỏng',
  creating: 'đang tạo container',
  running: 'đang chạy',
  settled: 'đã xong',
  pending: 'chờ tiền',
  processing: 'đang xử lý',
  downloading: 'đang tải',
  failed: 'thất bại',
  expired: 'hết hạn',
  cancelled: 'đã hủy',
};

const OUTCOMES_VI: Readonly<Record<Outcome, string>> = {
  succeeded: 'thoát với mã 0 và bản kê được nhận',
  app_temporary: 'dừng vì điều có thể qua đi (69, 74, 75)',
  bad_input: 'khóa học không đọc được như hiện có (65)',
  protected_content: 'nội dung được bảo vệ, hoặc không ghi là không bảo vệ (65)',
  not_entitled: 'tài khoản không có quyền với khóa học hoặc Drive (77)',
  bug: 'gặp lỗi mà nó không biết (70)',
  no_manifest: 'thoát với mã 0 nhưng không có bản kê được nhận',
  unknown_exit: 'mã thoát không có trong tài liệu',
  oom: 'chạm giới hạn bộ nhớ, hoặc đầy heap (134)',
  deadline: 'bị chúng ta dừng: lâu hơn mức cho phép',
  cancelled: 'bị chúng ta dừng: đã hủy',
  handshake_failed: 'không xác nhận phong bì (64)',
  hardening_mismatch: 'container không được tạo đúng yêu cầu; nó chưa nhận bí mật nào',
  killed_outside: 'bị giết bởi tín hiệu không phải của chúng ta (137, 143)',
  start_failed: 'máy chạy không khởi động được container',
  image_missing: 'máy chạy không có job image',
  engine_lost: 'máy chạy hoặc container đã mất',
  orchestrator_lost: 'orchestrator chết trước khi container nhận phong bì',
  services_lost: 'egress hoặc API vắng mặt với container đang chạy (71)',
  manifest_false: 'trên Drive không có điều mà bản kê đã nhận nói',
};

export const stateWord = (language: Language, state: string): string =>
  language === 'vi' ? (STATES_VI[state] ?? state) : state;

/** What an outcome means; undefined for what is none. */
export function outcomeMeaning(language: Language, outcome: string | null): string | undefined {
  if (outcome === null || !(outcome in OUTCOMES)) return undefined;
  return language === 'vi' ? OUTCOMES_VI[outcome as Outcome] : OUTCOMES[outcome as Outcome].meaning;
}
