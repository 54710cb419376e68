import { BlockList, isIP } from 'node:net';
import { plainAddress } from '../caller.ts';

/** Whether a webhook may come from this address. */
export type SenderCheck = (address: string) => boolean;

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/**
 * The check for a list of addresses and networks such as `172.236.138.20` or `103.255.238.0/24`; undefined when one is
 * neither. It is a second layer: addresses of a sender change, and only the signature proves who sent.
 */
export function allowSenders(list: readonly string[]): SenderCheck | undefined {
  const allowed = new BlockList();
  for (const entry of list) {
    const [address = '', bits, ...more] = entry.split('/');
    if (isIP(address) === 0 || more.length > 0) return undefined;
    const family = familyOf(address);
    if (bits === undefined) allowed.addAddress(address, family);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'ipv6' ? 128 : 32))
      allowed.addSubnet(address, Number(bits), family);
    else return undefined;
  }
  return (address) => {
    const plain = plainAddress(address);
    return isIP(plain) !== 0 && allowed.check(plain, familyOf(plain));
  };
}
