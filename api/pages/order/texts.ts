import type { Texts } from '../language.ts';

type Said = { title: string; text: string };

export type OrderTexts = {
  order: string;
  steps: { label: string; pay: string; wait: string; load: string; done: string };
  pay: {
    title: string;
    titleRest: string;
    qrAlt: (amount: string) => string;
    save: string;
    saveHint: string;
    byHand: string;
    bank: string;
    account: string;
    holder: string;
    amount: string;
    content: string;
    contentHint: string;
    copy: string;
    copied: string;
    left: string;
    leftUntil: (time: string) => string;
    byItself: string;
    partly: (paid: string, left: string) => string;
    to: (email: string) => string;
    cancelAsk: string;
    cancelText: string;
    cancel: string;
  };
  wait: Said & { again: string };
  load: {
    title: string;
    begins: string;
    progress: string;
    bytes: string;
    files: string;
    rate: string;
    left: string;
    again: string;
    close: string;
  };
  deliver: Said;
  done: Said & { open: string; account: (email: string) => string; mail: string };
  failed: { title: string; refund: (amount: string) => string; decides: (amount: string) => string; nothing: string };
  expired: Said & { partly: (paid: string) => string; late: string };
  cancelled: Said;
  again: string;
  over: (amount: string) => string;
  unplaced: {
    title: string;
    reasons: Readonly<Record<string, string>>;
    other: string;
    line: (amount: string, time: string, why: string) => string;
    waits: string;
    refunded: string;
    decided: string;
  };
  help: (code: string) => string;
  helpAnywhere: (code: string) => string;
  updates: string;
  reload: string;
};

export const ORDER: Texts<OrderTexts> = {
  vi: {
    order: 'Đơn hàng',
    steps: { label: 'Tiến trình', pay: 'Thanh toán', wait: 'Xếp hàng', load: 'Tải về', done: 'Hoàn tất' },
    pay: {
      title: 'Quét mã để thanh toán',
      titleRest: 'Chuyển phần còn thiếu',
      qrAlt: (amount) => `Mã VietQR để chuyển ${amount}; các thông tin cũng có bên dưới`,
      save: 'Lưu ảnh mã QR',
      saveHint: 'Đang xem trên điện thoại? Lưu ảnh, mở ứng dụng ngân hàng, chọn quét QR từ thư viện ảnh.',
      byHand: 'Hoặc chuyển khoản thủ công',
      bank: 'Ngân hàng',
      account: 'Số tài khoản',
      holder: 'Chủ tài khoản',
      amount: 'Số tiền',
      content: 'Nội dung',
      contentHint: 'Giữ nguyên nội dung này để đơn được nhận ra tự động.',
      copy: 'Sao chép',
      copied: 'đã sao chép',
      left: 'Thời gian còn lại',
      leftUntil: (time) => `đến ${time}`,
      byItself: 'Trang này tự cập nhật khi tiền về, thường chỉ vài giây sau khi chuyển.',
      partly: (paid, left) => `Đã nhận ${paid}, còn thiếu ${left}. Mã QR dưới đây là cho phần còn thiếu.`,
      to: (email) => `Khóa học sẽ được chia sẻ cho ${email}. Nếu sai, hãy hủy đơn và đặt lại.`,
      cancelAsk: 'Hủy đơn hàng',
      cancelText: 'Chỉ hủy khi bạn chưa chuyển tiền. Đơn đã hủy không thể mở lại.',
      cancel: 'Hủy đơn này',
    },
    wait: {
      title: 'Đã nhận thanh toán',
      text: 'Khóa học của bạn đang chờ đến lượt tải về Drive.',
      again: 'Lần tải trước bị gián đoạn. Hệ thống tự tải lại, bạn không cần làm gì và không mất thêm tiền.',
    },
    load: {
      title: 'Đang tải về Drive',
      begins: 'Đang chuẩn bị tải…',
      progress: 'Tiến độ tải',
      bytes: 'Dung lượng',
      files: 'Số tệp',
      rate: 'Tốc độ',
      left: 'Còn khoảng',
      again: 'Đây là lần tải lại sau khi lần trước bị gián đoạn.',
      close: 'Bạn có thể đóng trang này. Khi xong, bạn sẽ nhận được thư kèm liên kết.',
    },
    deliver: { title: 'Đang mở quyền truy cập', text: 'Mọi tệp đã nằm trong Drive. Chỉ còn vài giây nữa.' },
    done: {
      title: 'Khóa học đã sẵn sàng',
      text: 'Tất cả các tệp đã được kiểm tra và nằm trong Google Drive.',
      open: 'Mở trong Google Drive',
      account: (email) => `Hãy mở bằng tài khoản Google ${email}.`,
      mail: 'Liên kết này cũng được gửi tới địa chỉ đó.',
    },
    failed: {
      title: 'Không giao được khóa học',
      refund: (amount) => `Bạn sẽ được hoàn lại ${amount} vào tài khoản đã chuyển. Bạn không cần làm gì thêm.`,
      decides: (amount) =>
        `Khoản ${amount} của bạn vẫn an toàn. Nhân viên sẽ cho tải lại hoặc hoàn tiền cho bạn. Bạn không cần chuyển thêm.`,
      nothing: 'Không có khoản tiền nào của đơn này được giữ lại.',
    },
    expired: {
      title: 'Đơn hàng đã hết hạn',
      text: 'Đơn này không giữ khoản tiền nào của bạn. Xin đừng chuyển khoản theo mã QR cũ; nếu vẫn muốn học, hãy đặt lại. Nếu bạn đã chuyển trước giờ hết hạn, trang này sẽ tự cập nhật khi ngân hàng báo.',
      partly: (paid) =>
        `Đơn hết hạn khi mới nhận được ${paid}, chưa đủ. Khoản này được giữ lại cho bạn; hãy liên hệ để chuyển nốt hoặc nhận lại tiền.`,
      late: 'Tiền của bạn đến sau khi đơn hết hạn nên chưa được dùng. Xin đừng chuyển thêm lần nữa.',
    },
    cancelled: {
      title: 'Đơn hàng đã hủy',
      text: 'Đơn này không nhận tiền nữa. Xin đừng chuyển khoản theo mã QR cũ.',
    },
    again: 'Đặt lại khóa học này',
    over: (amount) =>
      `Bạn đã chuyển thừa ${amount}. Khóa học vẫn được giao. Khoản thừa được giữ lại và nhân viên sẽ xem xét hoàn cho bạn.`,
    unplaced: {
      title: 'Khoản tiền chưa dùng cho đơn này',
      reasons: {
        expired: 'đến sau khi đơn hết hạn',
        already_paid: 'đến khi đơn đã được trả đủ',
        cancelled: 'đến sau khi đơn bị hủy',
        possible_repeat: 'có thể là cùng một lần chuyển được báo hai lần',
      },
      other: 'chưa khớp với đơn',
      line: (amount, time, why) => `${amount}, chuyển lúc ${time}: ${why}.`,
      waits: 'Tiền vẫn an toàn. Nhân viên đang xem xét để dùng cho đơn hoặc hoàn lại cho bạn.',
      refunded: 'Đã hoàn lại.',
      decided: 'Nhân viên đã xử lý. Hãy liên hệ nếu bạn thắc mắc.',
    },
    help: (code) => `Cần giúp đỡ? Hãy ghi mã đơn ${code} và gửi thư tới`,
    helpAnywhere: (code) => `Cần giúp đỡ? Hãy liên hệ nơi bạn đã mua và cho biết mã đơn ${code}.`,
    updates: 'Trang này tự cập nhật.',
    reload: 'Tải lại trang',
  },
  en: {
    order: 'Order',
    steps: { label: 'Progress', pay: 'Payment', wait: 'Queue', load: 'Download', done: 'Done' },
    pay: {
      title: 'Scan to pay',
      titleRest: 'Transfer the rest',
      qrAlt: (amount) => `VietQR code for a transfer of ${amount}; the details also stand below`,
      save: 'Save the QR code',
      saveHint: 'Reading this on your phone? Save the picture, open your bank app and scan it from your photos.',
      byHand: 'Or transfer by hand',
      bank: 'Bank',
      account: 'Account number',
      holder: 'Account holder',
      amount: 'Amount',
      content: 'Content',
      contentHint: 'Keep this content as it is, so that your order is recognised.',
      copy: 'Copy',
      copied: 'copied',
      left: 'Time left',
      leftUntil: (time) => `until ${time}`,
      byItself: 'This page changes by itself when the money arrives, mostly within seconds.',
      partly: (paid, left) => `${paid} arrived, ${left} are missing. The QR code below is for the rest.`,
      to: (email) => `The course will be shared with ${email}. If that is wrong, cancel the order and place it again.`,
      cancelAsk: 'Cancel the order',
      cancelText: 'Only if you have not transferred anything. A cancelled order cannot be opened again.',
      cancel: 'Cancel this order',
    },
    wait: {
      title: 'Your payment has arrived',
      text: 'Your course is waiting for its turn to be copied into Drive.',
      again: 'The last download was interrupted. It is tried again by itself: nothing to do, nothing more to pay.',
    },
    load: {
      title: 'On its way into Drive',
      begins: 'The download is being prepared…',
      progress: 'Progress of the download',
      bytes: 'Size',
      files: 'Files',
      rate: 'Speed',
      left: 'About',
      again: 'This is another try, after one that was interrupted.',
      close: 'You may close this page. When all is done you get a mail with the link.',
    },
    deliver: { title: 'Opening your access', text: 'Every file is in Drive. It only takes seconds now.' },
    done: {
      title: 'Your course is ready',
      text: 'Every file was checked and is in Google Drive.',
      open: 'Open in Google Drive',
      account: (email) => `Open it with the Google account ${email}.`,
      mail: 'The link was also sent to that address.',
    },
    failed: {
      title: 'The course could not be delivered',
      refund: (amount) => `${amount} will go back to the account they came from. There is nothing you need to do.`,
      decides: (amount) =>
        `Your ${amount} are safe. Somebody of ours will have the download run again or give the money back. Please do not pay again.`,
      nothing: 'No money of this order is kept.',
    },
    expired: {
      title: 'The order has expired',
      text: 'No money of yours is kept for it. Please do not use its QR code any more; place a new order if you still want the course. If you transferred before it expired, this page changes when your bank tells us.',
      partly: (paid) =>
        `Only ${paid} had arrived when it expired, which is not enough. The money is kept for you: please contact us to pay the rest or get it back.`,
      late: 'Your money came after the order had expired and is not used yet. Please do not transfer again.',
    },
    cancelled: {
      title: 'The order was cancelled',
      text: 'No money is taken for it any more. Please do not use its QR code.',
    },
    again: 'Order this course again',
    over: (amount) =>
      `You paid ${amount} too much. The course is delivered all the same. The rest is kept, and somebody of ours decides about giving it back.`,
    unplaced: {
      title: 'Money not used for this order',
      reasons: {
        expired: 'it came after the order had expired',
        already_paid: 'it came when the order was paid already',
        cancelled: 'it came after the order was cancelled',
        possible_repeat: 'it may be one transfer that was told twice',
      },
      other: 'it does not fit the order',
      line: (amount, time, why) => `${amount}, transferred ${time}: ${why}.`,
      waits: 'The money is safe. Somebody of ours decides whether it is used for the order or goes back to you.',
      refunded: 'It was given back.',
      decided: 'It has been dealt with. Please contact us if you have questions.',
    },
    help: (code) => `Need help? Tell us the order code ${code} at`,
    helpAnywhere: (code) => `Need help? Contact where you bought it and tell them the order code ${code}.`,
    updates: 'This page changes by itself.',
    reload: 'Load the page again',
  },
};
