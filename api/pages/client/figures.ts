/** Figures as people read them, the same on the server and in the browser. */
export type Tongue = 'vi' | 'en';

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;
const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3_600;
const LOCALES: Readonly<Record<Tongue, string>> = { vi: 'vi-VN', en: 'en-GB' };

const number = (tongue: Tongue, value: number, digits: number): string =>
  value.toLocaleString(LOCALES[tongue], { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** `1,4 GB`: powers of 1,000, as the customer's own disk is sold. */
export function bytesText(tongue: Tongue, bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${number(tongue, value, unit === 0 || value >= 99.95 ? 0 : 1)} ${UNITS[unit]}`;
}

/** `499.000 ₫`. */
export const vndText = (tongue: Tongue, amount: number): string => `${number(tongue, amount, 0)} ₫`;

/** A time to come, no more exact than it can be known: `dưới 1 phút`, `12 phút`, `1 giờ 20 phút`. */
export function spanText(tongue: Tongue, seconds: number): string {
  const isVi = tongue === 'vi';
  if (seconds < MINUTE_SECONDS) return isVi ? 'dưới 1 phút' : 'less than a minute';
  const minutes = Math.ceil(seconds / MINUTE_SECONDS);
  const hours = Math.floor(minutes / 60);
  const left = minutes % 60;
  const minutesText = isVi ? `${left} phút` : `${left} min`;
  if (hours === 0) return minutesText;
  const hoursText = isVi ? `${hours} giờ` : `${hours} h`;
  return left === 0 ? hoursText : `${hoursText} ${minutesText}`;
}

/** What is left on a clock: `59:07`, `1:02:30`. */
export function clockText(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutesAndSeconds = `${two(Math.floor((left % HOUR_SECONDS) / MINUTE_SECONDS))}:${two(left % MINUTE_SECONDS)}`;
  return left < HOUR_SECONDS ? minutesAndSeconds : `${Math.floor(left / HOUR_SECONDS)}:${minutesAndSeconds}`;
}
