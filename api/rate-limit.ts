import { isIPv6 } from 'node:net';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { Problem } from './problem.ts';

const IPV6_NETWORK_GROUPS = 4;

/** Who is counted as one caller: an IPv4 address, or the /64 network of an IPv6 address. */
export function callerOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, IPV6_NETWORK_GROUPS).join(':');
}

/** Counts one request of `address`. Throws `rate_limited` with Retry-After when there were too many. */
export type AddressLimit = (address: string) => Promise<void>;

/** Kept in this process's memory: with several API processes a caller gets the limit of each. */
export function makeAddressLimit(limit: { requests: number; perSeconds: number }): AddressLimit {
  const limiter = new RateLimiterMemory({ points: limit.requests, duration: limit.perSeconds });
  return async (address) => {
    try {
      await limiter.consume(callerOf(address));
    } catch (rejected) {
      if (!(rejected instanceof RateLimiterRes)) throw rejected;
      const seconds = Math.max(1, Math.ceil(rejected.msBeforeNext / 1_000));
      throw new Problem('rate_limited', `Try again in ${seconds} s.`, { headers: { 'Retry-After': String(seconds) } });
    }
  };
}
