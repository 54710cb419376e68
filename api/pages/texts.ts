/** What stands around every page, and what is said when there is none. */
import type { Texts } from './language.ts';

export type CommonTexts = {
  skip: string;
  home: string;
  languageOfPage: string;
  switchTo: string;
  tryAgain: string;
  toStart: string;
  requestId: string;
  problems: Readonly<Record<'bad' | 'missing' | 'tooMany' | 'refused' | 'broken', { title: string; text: string }>>;
};

export const COMMON: Texts<CommonTexts> = {
  vi: {
    skip: 'Đến nội dung chính',
    home: 'Trang chủ',
    languageOfPage: 'Ngôn ngữ',
    switchTo: 'English',
    tryAgain: 'Thử lại',
    toStart: 'Về trang chủ',
    requestId: 'Mã yêu cầu',
    problems: {
      bad: {
        title: 'Yêu cầu không hợp lệ',
        text: 'Chúng tôi không đọc được yêu cầu này. Hãy quay lại và thử lần nữa.',
      },
      missing: {
        title: 'Không tìm thấy trang',
        text: 'Liên kết có thể bị thiếu vài ký tự. Hãy mở lại đúng liên kết bạn đã nhận.',
      },
      tooMany: {
        title: 'Quá nhiều yêu cầu',
        text: 'Hãy đợi một lát rồi thử lại. Đơn hàng của bạn không bị ảnh hưởng.',
      },
      refused: { title: 'Không được phép', text: 'Bạn không thể làm điều này ở đây.' },
      broken: {
        title: 'Có lỗi ở phía chúng tôi',
        text: 'Lỗi đã được ghi lại. Tiền và đơn hàng của bạn vẫn an toàn; hãy thử lại sau ít phút.',
      },
    },
  },
  en: {
    skip: 'Skip to the content',
    home: 'Start page',
    languageOfPage: 'Language',
    switchTo: 'Tiếng Việt',
    tryAgain: 'Try again',
    toStart: 'To the start page',
    requestId: 'Request id',
    problems: {
      bad: { title: 'This request is not valid', text: 'We could not read it. Please go back and try once more.' },
      missing: {
        title: 'There is no such page',
        text: 'The link may have lost some of its letters. Please open exactly the link that you were given.',
      },
      tooMany: { title: 'Too many requests', text: 'Please wait a moment and try again. Your order is not affected.' },
      refused: { title: 'Not allowed', text: 'You cannot do this here.' },
      broken: {
        title: 'Something went wrong on our side',
        text: 'It has been written down. Your money and your order are safe; please try again in a few minutes.',
      },
    },
  },
};
