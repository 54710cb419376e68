/**
 * The unguessable part of a status link, made from the order's id and a key; the database holds nothing that opens it.
 *
 *   base64url( order uuid (16 bytes) || first 16 bytes of HMAC-SHA256(key, "lading order token" || uuid) )
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

const UUID_BYTES = 16;
const MAC_BYTES = 16;
const PURPOSE = 'lading order token';
const SHAPE = /^[A-Za-z0-9_-]{43}$/;

const macOf = (key: Buffer, uuid: Buffer): Buffer =>
  createHmac('sha256', key).update(PURPOSE).update(uuid).digest().subarray(0, MAC_BYTES);

export function mintStatusToken(key: Buffer, orderId: string): string {
  const uuid = Buffer.from(orderId.replaceAll('-', ''), 'hex');
  if (uuid.length !== UUID_BYTES) throw new RangeError(`not a uuid: ${orderId}`);
  return Buffer.concat([uuid, macOf(key, uuid)]).toString('base64url');
}

/** The order's id, or undefined for every string that mintStatusToken did not make with this key. */
export function openStatusToken(key: Buffer, token: string): string | undefined {
  if (!SHAPE.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  // 43 characters hold two bits more than 32 bytes: one token, one spelling.
  if (bytes.toString('base64url') !== token) return undefined;
  const uuid = bytes.subarray(0, UUID_BYTES);
  if (!timingSafeEqual(macOf(key, uuid), bytes.subarray(UUID_BYTES))) return undefined;
  return uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
