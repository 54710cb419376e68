import type { Language } from '../language.ts';

const LOCALES: Readonly<Record<Language, string>> = { vi: 'vi-VN', en: 'en-GB' };
/** Whose customers pay from Vietnamese banks reads times as they do. */
const TIME_ZONE = 'Asia/Ho_Chi_Minh';

/** `14:30`, and with its day where that is not today. */
export function timeText(language: Language, at: Date, now: Date): string {
  const dayOf = (date: Date): string => date.toLocaleDateString('en-CA', { timeZone: TIME_ZONE });
  const time = at.toLocaleTimeString(LOCALES[language], { timeZone: TIME_ZONE, hour: '2-digit', minute: '2-digit' });
  if (dayOf(at) === dayOf(now)) return time;
  const day = at.toLocaleDateString(LOCALES[language], { timeZone: TIME_ZONE, day: '2-digit', month: '2-digit' });
  return `${time} ${day}`;
}
