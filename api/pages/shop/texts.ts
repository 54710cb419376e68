import type { Texts } from '../language.ts';

export const SHOP: Texts<{ title: string }> = {
  vi: { title: 'Khóa học' },
  en: { title: 'Courses' },
};
