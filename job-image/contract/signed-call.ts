/**
 * Calls a job makes to the API, signed after Standard Webhooks 1.0 with the attempt's own key. They leave the
 * container as plain HTTP on the egress socket, which relays exactly these paths and nothing else of the API.
 */
import { z } from 'zod';

export const FINALIZE_MAX_BYTES = 4 * 1024 * 1024;
export const FILES_MAX = 10_000;

export const deliveredFileSchema = z.strictObject({
  /** Path below the order's folder, `/` between parts, NFC. */
  path: z.string().min(1).max(1_024),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  driveId: z.string().min(1).max(256),
});
export type DeliveredFile = z.infer<typeof deliveredFileSchema>;

export const finalizeSchema = z.strictObject({
  type: z.literal('attempt.finalized'),
  attemptId: z.uuid(),
  folderId: z.string().min(1).max(256),
  files: z.array(deliveredFileSchema).min(1).max(FILES_MAX),
});
export type FinalizeBody = z.infer<typeof finalizeSchema>;

/** `POST` here, relative to the API's base URL. */
export const finalizePath = (attemptId: string): string => `/v1/attempts/${attemptId}/finalize`;

export const TOKEN_CALL_MAX_BYTES = 4 * 1024;
/** An hour each: longer than any attempt may run. The database holds the same number. */
export const TOKENS_MAX = 48;

/** A running job asks for its n-th fresh Drive token. */
export const tokenCallSchema = z.strictObject({
  type: z.literal('attempt.token'),
  attemptId: z.uuid(),
  n: z.int().min(1).max(TOKENS_MAX),
});
/** See sealed-token.ts. */
export const tokenAnswerSchema = z.object({ sealed: z.base64().max(12_000) });
export const tokenPath = (attemptId: string): string => `/v1/attempts/${attemptId}/token`;

export const PROGRESS_CALL_MAX_BYTES = 1024 * 1024;
/** Of one call, and of one job: as many as files can be in flight. */
export const SESSIONS_MAX = 32;
/** Of one attempt: every file of the largest course, begun three times, and the calls by the clock. */
export const PROGRESS_CALLS_MAX = 50_000;
/** The database holds the same number. */
export const SEALED_SESSION_MAX_BYTES = 6_144;

const path = deliveredFileSchema.shape.path;
const sealed = z.base64().max(Math.ceil(SEALED_SESSION_MAX_BYTES / 3) * 4);

/** A running job tells how far its large files are, so that a later attempt can go on with them; see sealed-session.ts. */
export const progressCallSchema = z.strictObject({
  type: z.literal('attempt.progress'),
  attemptId: z.uuid(),
  /** Counts the calls of the attempt. */
  n: z.int().min(1).max(PROGRESS_CALLS_MAX),
  /** Upload sessions that were opened; of streams nobody knows the length. */
  keep: z.array(z.strictObject({ path, bytes: z.int().min(1).optional(), sealed })).max(SESSIONS_MAX),
  /** How much of a kept one Drive has. */
  confirmed: z.array(z.strictObject({ path, bytes: z.int().min(0) })).max(SESSIONS_MAX),
  /** Those that nobody needs any more. */
  forget: z.array(path).max(SESSIONS_MAX),
  /** Whether the answer tells what the job has kept. */
  recall: z.boolean(),
});
export type ProgressCall = z.infer<typeof progressCallSchema>;
export const progressAnswerSchema = z.object({
  sessions: z.array(z.object({ path, sealed })).max(SESSIONS_MAX),
});
export const progressPath = (attemptId: string): string => `/v1/attempts/${attemptId}/progress`;
/** The only webhook id under which the n-th call is taken, so that an attempt's calls are as many as their numbers. */
export const progressCallId = (attemptId: string, n: number): string => `msg_${attemptId}_progress_${n}`;

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
/** What egress relays, anchored; the attempt id is the first group and must be the token's own. */
export const RELAYED_PATH = new RegExp(`^/v1/attempts/(${UUID})/(finalize|token|progress)$`);
const ANSWER_MAX_BYTES = 64 * 1024;
/** In bytes, by the second group of RELAYED_PATH. */
export function callMaxBytes(name: string | undefined): number {
  if (name === 'finalize') return FINALIZE_MAX_BYTES;
  return name === 'progress' ? PROGRESS_CALL_MAX_BYTES : TOKEN_CALL_MAX_BYTES;
}
/** What egress reads of an answer at most. */
export const answerMaxBytes = (name: string | undefined): number =>
  name === 'progress' ? PROGRESS_CALL_MAX_BYTES : ANSWER_MAX_BYTES;
