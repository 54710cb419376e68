const EMAIL_MAX_CHARS = 254;
const LOCAL_MAX_CHARS = 64;
const CONTROL = /\p{Cc}/u;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** A top-level domain is letters, or the ASCII form of others: never a number, which would be part of an address. */
const TOP_LABEL = '(?:[a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])';
const ADDRESS = new RegExp(`^(${ATOM}(?:\\.${ATOM})*)@((?:${LABEL}\\.)+${TOP_LABEL})$`);

/**
 * The address as it is stored: trimmed, NFC, the domain in lower case. Undefined for what is no plain ASCII address;
 * quoted local parts, address literals and control characters (a header could be smuggled in with CRLF) are refused.
 */
export function normaliseEmail(text: string): string | undefined {
  if (CONTROL.test(text)) return undefined;
  const trimmed = text.trim().normalize('NFC');
  if (trimmed.length > EMAIL_MAX_CHARS) return undefined;
  const at = trimmed.lastIndexOf('@');
  const address = trimmed.slice(0, at + 1) + trimmed.slice(at + 1).toLowerCase();
  const local = ADDRESS.exec(address)?.[1];
  return local === undefined || local.length > LOCAL_MAX_CHARS ? undefined : address;
}
