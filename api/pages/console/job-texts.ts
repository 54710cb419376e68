import type { Texts } from '../language.ts';

export const JOB: Texts<
  Readonly<
    Record<
      | 'job'
      | 'email'
      | 'course'
      | 'paid'
      | 'of'
      | 'priority'
      | 'spent'
      | 'losses'
      | 'redrives'
      | 'folder'
      | 'cancel'
      | 'retry'
      | 'setPriority'
      | 'timeline'
      | 'ordered'
      | 'madeJob'
      | 'attempt'
      | 'attempts'
      | 'engine'
      | 'profile'
      | 'limits'
      | 'began'
      | 'took'
      | 'exit'
      | 'outcome'
      | 'log'
      | 'files'
      | 'name'
      | 'bytes'
      | 'checksum'
      | 'more'
      | 'memory'
      | 'cpu'
      | 'limit'
      | 'used'
      | 'noSamples'
      | 'time'
      | 'readers'
      | 'who'
      | 'via'
      | 'reason'
      | 'times'
      | 'last'
      | 'what'
      | 'granted'
      | 'mailed'
      | 'deadline'
      | 'noAttempts'
      | 'noFiles'
      | 'noReaders'
      | 'container'
      | 'by'
      | 'dead'
      | 'openFolder'
      | 'hint'
      | 'pids'
      | 'sinceStart',
      string
    >
  >
> = {
  vi: {
    job: 'Công việc',
    email: 'Email',
    course: 'Khóa học',
    paid: 'Đã trả',
    of: 'trên',
    priority: 'Ưu tiên',
    spent: 'Lần thử đã tính',
    losses: 'Mất do chúng ta',
    redrives: 'Chạy lại',
    folder: 'Thư mục',
    openFolder: 'mở trong Drive',
    cancel: 'Hủy công việc',
    retry: 'Chạy lại',
    setPriority: 'Đổi ưu tiên',
    timeline: 'Diễn biến',
    ordered: 'đặt đơn',
    madeJob: 'trả tiền, tạo công việc',
    attempt: 'Lần thử',
    attempts: 'Các lần thử',
    engine: 'Máy',
    profile: 'Hồ sơ',
    limits: 'Giới hạn',
    began: 'Bắt đầu',
    took: 'Chạy trong',
    exit: 'Mã thoát',
    outcome: 'Kết cục',
    log: 'Nhật ký',
    files: 'Tệp đã giao',
    name: 'Tên',
    bytes: 'Dung lượng',
    checksum: 'SHA-256',
    more: 'tệp khác nằm trong Drive',
    memory: 'Bộ nhớ',
    cpu: 'CPU',
    limit: 'giới hạn',
    used: 'đã dùng',
    noSamples: 'Chạy quá ngắn nên chưa đo được.',
    time: 'Giây',
    sinceStart: 'từ lúc bắt đầu',
    readers: 'Ai đã đọc nhật ký',
    who: 'Ai',
    via: 'Qua',
    reason: 'Lý do',
    times: 'Lần',
    last: 'Lần cuối',
    what: 'Điều gì',
    granted: 'mở quyền cho khách',
    mailed: 'gửi email',
    deadline: 'hạn',
    noAttempts: 'Chưa có lần thử nào.',
    noFiles: 'Chưa giao tệp nào.',
    noReaders: 'Chưa ai đọc nhật ký của công việc này.',
    container: 'Container',
    by: 'bởi',
    dead: 'Hỏng',
    hint: 'Trên 0 là ít gấp hơn, dưới 0 là gấp hơn.',
    pids: 'tiến trình',
  },
  en: {
    job: 'Job',
    email: 'E-mail',
    course: 'Course',
    paid: 'Paid',
    of: 'of',
    priority: 'Priority',
    spent: 'Attempts spent',
    losses: 'Losses of ours',
    redrives: 'Redrives',
    folder: 'Folder',
    openFolder: 'open in Drive',
    cancel: 'Cancel the job',
    retry: 'Redrive',
    setPriority: 'Set priority',
    timeline: 'Timeline',
    ordered: 'ordered',
    madeJob: 'paid, job made',
    attempt: 'Attempt',
    attempts: 'Attempts',
    engine: 'Engine',
    profile: 'Profile',
    limits: 'Limits',
    began: 'Began',
    took: 'Ran for',
    exit: 'Exit code',
    outcome: 'Outcome',
    log: 'Log',
    files: 'Delivered files',
    name: 'Name',
    bytes: 'Size',
    checksum: 'SHA-256',
    more: 'more stand in Drive',
    memory: 'Memory',
    cpu: 'Processors',
    limit: 'limit',
    used: 'used',
    noSamples: 'It ran too short to be sampled.',
    time: 'Seconds',
    sinceStart: 'since the start',
    readers: 'Who read the logs',
    who: 'Who',
    via: 'Via',
    reason: 'Reason',
    times: 'Times',
    last: 'Last',
    what: 'What',
    granted: 'access granted to the customer',
    mailed: 'mail sent',
    deadline: 'deadline',
    noAttempts: 'There was no attempt yet.',
    noFiles: 'Nothing is delivered yet.',
    noReaders: 'Nobody read the logs of this job yet.',
    container: 'Container',
    by: 'by',
    dead: 'Dead',
    hint: 'Above 0 less urgent, below 0 more.',
    pids: 'processes',
  },
};
