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

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
/** What egress relays, anchored; the attempt id is the first group and must be the token's own. */
export const RELAYED_PATH = new RegExp(`^/v1/attempts/(${UUID})/(finalize|token)$`);
/** By the second group of RELAYED_PATH. */
export const callMaxBytes = (name: string | undefined): number =>
  name === 'finalize' ? FINALIZE_MAX_BYTES : TOKEN_CALL_MAX_BYTES;
