import type { Texts } from '../language.ts';

export type ShopTexts = {
  title: string;
  lead: string;
  choose: string;
  find: string;
  search: string;
  all: string;
  shown: (shown: number, of: number) => string;
  notFound: string;
  email: string;
  emailHint: string;
  submit: string;
  next: string;
  empty: { title: string; text: string };
  errors: {
    title: string;
    email: string;
    courseId: string;
    courseGone: string;
    twice: string;
    tooMany: (seconds: string) => string;
  };
};

export const SHOP: Texts<ShopTexts> = {
  vi: {
    title: 'Đặt khóa học',
    lead: 'Chọn khóa học, chuyển khoản bằng mã QR, nhận khóa học trong Google Drive của bạn.',
    choose: 'Chọn khóa học',
    find: 'Tìm theo tên',
    search: 'Tìm',
    all: 'Xem tất cả',
    shown: (shown, of) => `Đang hiện ${shown} trong ${of} khóa học. Hãy tìm theo tên để thấy các khóa khác.`,
    notFound: 'Không có khóa học nào có tên như vậy.',
    email: 'Địa chỉ Gmail hoặc tài khoản Google',
    emailHint: 'Khóa học được chia sẻ cho đúng tài khoản này. Hãy kiểm tra kỹ.',
    submit: 'Đặt hàng và nhận mã QR',
    next: 'Bạn chưa trả tiền ở bước này. Giá đã gồm mọi chi phí.',
    empty: { title: 'Chưa có khóa học nào', text: 'Hiện không có khóa học nào đặt được. Hãy quay lại sau.' },
    errors: {
      title: 'Chưa đặt được đơn hàng',
      email: 'Địa chỉ này không hợp lệ. Hãy nhập dạng ten@gmail.com, không dấu, không khoảng trắng.',
      courseId: 'Hãy chọn một khóa học.',
      courseGone: 'Khóa học này không còn đặt được. Hãy chọn khóa khác.',
      twice: 'Trang này đã được dùng để đặt một đơn khác. Hãy kiểm tra lại và bấm đặt hàng lần nữa.',
      tooMany: (seconds) => `Có quá nhiều đơn hàng trong thời gian ngắn. Hãy thử lại sau ${seconds}.`,
    },
  },
  en: {
    title: 'Order a course',
    lead: 'Choose a course, pay by bank transfer with a QR code, find it in your Google Drive.',
    choose: 'Choose a course',
    find: 'Find by name',
    search: 'Find',
    all: 'Show all',
    shown: (shown, of) => `${shown} of ${of} courses are shown. Search by name to see the others.`,
    notFound: 'No course has such a name.',
    email: 'Gmail address or Google account',
    emailHint: 'The course is shared with exactly this account. Please check it.',
    submit: 'Order and get the QR code',
    next: 'You do not pay yet. The price includes everything.',
    empty: { title: 'No courses yet', text: 'There is nothing to order at the moment. Please come back later.' },
    errors: {
      title: 'The order was not placed',
      email: 'This address is not valid. Write it like name@gmail.com, without accents or spaces.',
      courseId: 'Please choose a course.',
      courseGone: 'This course cannot be ordered any more. Please choose another one.',
      twice: 'This page was used for another order already. Please check it and press the button once more.',
      tooMany: (seconds) => `Too many orders in a short time. Please try again in ${seconds}.`,
    },
  },
};
