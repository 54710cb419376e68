/** Vietnamese first. `?lang=en` switches, and a cookie remembers it. */
import type { ParameterizedContext } from 'koa';

export const LANGUAGES = ['vi', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];
/** The same texts in each language: one that misses a key is a type error. */
export type Texts<T> = Readonly<Record<Language, T>>;

const COOKIE = 'lang';
const COOKIE_MAX_AGE_MS = 365 * 24 * 3_600_000;

const isLanguage = (value: unknown): value is Language => LANGUAGES.some((language) => language === value);

/** Which language this reader wants. A switch in the address is remembered. */
export function languageOf(ctx: ParameterizedContext): Language {
  const asked = ctx.query['lang'];
  if (isLanguage(asked)) {
    ctx.cookies.set(COOKIE, asked, { httpOnly: true, sameSite: 'lax', maxAge: COOKIE_MAX_AGE_MS, overwrite: true });
    return asked;
  }
  const remembered = ctx.cookies.get(COOKIE);
  return isLanguage(remembered) ? remembered : 'vi';
}
