/**
 * How every process reads its environment: once, in its main.ts, into a plain object in domain units.
 *
 * A variable NAME may also be given as NAME_FILE, the path of a file that holds the value (Docker and compose secrets,
 * systemd credentials). Secrets should always come that way: an environment is readable in /proc and `docker inspect`.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

type Environment = Readonly<Record<string, string | undefined>>;

export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** The file a variable's value comes from, for who watches it change; undefined when it does not come from one. */
export const fileOf = (env: Environment, name: string): string | undefined => env[`${name}_FILE`] || undefined;

function valueOf(env: Environment, name: string): string | undefined {
  const path = env[`${name}_FILE`];
  if (path === undefined || path === '') return env[name] === '' ? undefined : env[name];
  if (env[name] !== undefined && env[name] !== '') throw new ConfigError(`${name} and ${name}_FILE are both set`);
  try {
    // An empty file is no value: what may be left out has its file all the same where files are mounted by name.
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (cause) {
    throw new ConfigError(`${name}_FILE: cannot read ${path}`, { cause });
  }
}

/** Reads exactly the variables that `schema` names. Throws ConfigError with one line for each variable that is wrong. */
export function readEnvironment<S extends z.ZodObject>(schema: S, env: Environment): z.infer<S> {
  const raw = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, valueOf(env, name)]));
  const parsed = schema.safeParse(raw);
  if (!parsed.success)
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'));
  return parsed.data;
}

export const port = (): z.ZodPipe<z.ZodCoercedNumber, z.ZodNumber> =>
  z.coerce.number().pipe(z.int().min(0).max(65_535));

/** A value that is told by a function which throws a RangeError for what it cannot read. */
export const readBy = <T>(read: (text: string) => T) =>
  z.string().transform((text, context): T => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });

/** A key given as base64, at least `minBytes` long. */
export const base64Key = (minBytes: number) =>
  z.base64().transform((text, context) => {
    const key = Buffer.from(text, 'base64');
    if (key.length < minBytes) context.addIssue({ code: 'custom', message: `needs at least ${minBytes} bytes` });
    return key;
  });
