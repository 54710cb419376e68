import type { Context } from 'koa';
import { invalid } from './errors.ts';

/** A part of the path; the route has it. */
export const idOf = (ctx: Context, name = 'id'): string => String(ctx['params'][name]);

/** A query parameter given once or not at all; the first where it is repeated. */
export const textOf = (ctx: Context, name: string): string | undefined => {
  const value = ctx.query[name];
  return Array.isArray(value) ? value[0] : value;
};

export const isTrue = (ctx: Context, name: string, byDefault = false): boolean => {
  const value = textOf(ctx, name);
  return value === undefined ? byDefault : value === 'true';
};

/** Without it Drive behaves as if files of shared drives did not exist. */
export const supportsAllDrives = (ctx: Context): boolean =>
  isTrue(ctx, 'supportsAllDrives') || isTrue(ctx, 'supportsTeamDrives');

/** A whole number between `min` and `max`; throws GoogleError 400 otherwise. */
export function numberOf(ctx: Context, name: string, min: number, max: number, byDefault: number): number {
  const value = textOf(ctx, name);
  if (value === undefined) return byDefault;
  const number = Number(value);
  if (!Number.isInteger(number) || number < min || number > max)
    throw invalid(`Invalid value '${value}'. Values must be within the range: [${min}, ${max}]`, name);
  return number;
}
