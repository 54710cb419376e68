import { isIPv6 } from 'node:net';

const IPV6_NETWORK_GROUPS = 4;

/**
 * An address as a socket or a reverse proxy tells it, without what some add: the port (`192.0.2.7:4711`, `[2001:db8::7]:443`),
 * brackets, and the form in which a socket of both families shows an IPv4 caller.
 */
export function plainAddress(told: string): string {
  const bare =
    /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(told)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(told)?.[1] ?? told;
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare;
}

/** Who is counted as one caller: an IPv4 address, or the /64 network of an IPv6 address. */
export function callerOf(told: string): string {
  const address = plainAddress(told);
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, IPV6_NETWORK_GROUPS).join(':');
}
