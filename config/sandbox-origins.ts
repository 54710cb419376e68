import { z } from 'zod';

const ORIGINS_MAX = 16;

/**
 * Origins of stand-ins, separated by commas: `http://localhost:8080`. They alone may be called over plain HTTP and in
 * private address space. Empty in production.
 */
export const sandboxOrigins = () =>
  z
    .string()
    .optional()
    .transform((text, context): ReadonlySet<string> => {
      const entries = (text ?? '').split(',').flatMap((entry) => entry.trim() || []);
      if (entries.length > ORIGINS_MAX || entries.some((entry) => URL.parse(entry)?.origin !== entry))
        context.addIssue({
          code: 'custom',
          message: `needs at most ${ORIGINS_MAX} origins such as http://localhost:8080`,
        });
      return new Set(entries);
    });

/** Whether a client of ours may call this URL: https, or a stand-in. */
export const mayCall = (url: string, origins: ReadonlySet<string>): boolean => {
  const parsed = URL.parse(url);
  return parsed !== null && (parsed.protocol === 'https:' || origins.has(parsed.origin));
};
