/**
 * A Drive token on its way from the orchestrator to a running job. The api and Postgres carry it without being able to use
 * it by their own rights: it is sealed with a key that comes from the attempt's own.
 */
import { hkdfSync } from 'node:crypto';
import { openSeal, seal } from './seal.ts';

const KEY_BYTES = 32;

/** Which token of which attempt; a seal for one is none for another. */
export type TokenName = { readonly attemptId: string; readonly n: number };

const keyOf = (attemptKey: string, { attemptId }: TokenName): Buffer =>
  Buffer.from(hkdfSync('sha256', attemptKey, attemptId, 'lading drive token', KEY_BYTES));
const boundTo = ({ attemptId, n }: TokenName): string => `${attemptId}:${n}`;

export const sealToken = (attemptKey: string, name: TokenName, token: string): Buffer =>
  seal(keyOf(attemptKey, name), boundTo(name), token);

/** The token, or undefined where the seal is broken or another's. */
export const openToken = (attemptKey: string, name: TokenName, sealed: Buffer): string | undefined =>
  openSeal(keyOf(attemptKey, name), boundTo(name), sealed);
