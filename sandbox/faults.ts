/**
 * What may go wrong, switched on from outside. One list for all stand-ins: HTTP ones match method and path, mail matches
 * SMTP command and recipient.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';

const FAULTS_MAX = 1_000;
const PATTERN_MAX_CHARS = 500;
const LATENCY_MAX_MS = 600_000;

const pattern = z
  .string()
  .max(PATTERN_MAX_CHARS)
  .refine((source) => isRegExp(source), 'not a regular expression');

export const faultSchema = z.strictObject({
  match: z
    .strictObject({
      /** `PUT`, or in mail the SMTP command: `AUTH`, `MAIL`, `RCPT`, `DATA`. Absent: any. */
      method: z.string().optional(),
      /** Regular expression, searched in path and query (in mail: in the address). Absent: any. */
      path: pattern.optional(),
    })
    .default({}),
  /** How many matching requests pass untouched first. */
  skip: z.int().min(0).default(0),
  /** How many requests are hit; absent: all, until the fault is taken away. */
  times: z.int().min(1).optional(),
  /** Answer with this status, and Google's `reason` where the body has one. */
  status: z.int().min(400).max(599).optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  /** Seconds of a `Retry-After` header. */
  retryAfter: z.int().min(0).optional(),
  /** Drop the connection after so many bytes of the body: of an upload those received, of a download those sent. */
  afterBytes: z.int().min(0).optional(),
  /** Take (upload chunk) or give (ranged download) at most so many bytes, and say so in Range or Content-Range. */
  shortRange: z.int().min(0).optional(),
  /** One bit of this byte of the body, counted from the body's start, is another: of what is kept, or of what is given. */
  flipByte: z.int().min(0).optional(),
  /** Of a download: the file is so many bytes shorter than it was announced. */
  shortBy: z.int().min(1).optional(),
  /** Of a download: another version's tag, with its quotes. */
  etag: z.string().max(100).optional(),
  /** Of a download: packed, though nobody asked for it. */
  encoding: z.literal('gzip').optional(),
  /** Of a download: without a length, in chunks, or until the connection closes. */
  lengthless: z.enum(['chunked', 'close']).optional(),
  /** Sent on: to the same address, or to this one. */
  redirect: z.union([z.literal('self'), z.url()]).optional(),
  /** Wait before anything else. */
  latencyMs: z.int().min(0).max(LATENCY_MAX_MS).optional(),
  /** Slow the body down, in either direction. */
  bytesPerSecond: z.int().min(1).optional(),
});
export type Fault = z.infer<typeof faultSchema>;
export type ActiveFault = Fault & { id: string; hits: number };

export type Faults = {
  add: (fault: Fault) => string;
  /** The first fault that fits and is not used up; taking it counts. */
  take: (method: string, path: string) => Fault | undefined;
  list: () => ActiveFault[];
  clear: () => void;
};

function isRegExp(source: string): boolean {
  try {
    return new RegExp(source, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

const fits = ({ match }: Fault, method: string, path: string): boolean =>
  (match.method === undefined || match.method.toUpperCase() === method.toUpperCase()) &&
  (match.path === undefined || new RegExp(match.path, 'u').test(path));

export function makeFaults(): Faults {
  let active: ActiveFault[] = [];
  const toSkip = new Map<string, number>();
  return {
    add: (fault) => {
      if (active.length >= FAULTS_MAX) throw new RangeError(`more than ${FAULTS_MAX} faults`);
      const id = randomUUID();
      active.push({ ...fault, id, hits: 0 });
      toSkip.set(id, fault.skip);
      return id;
    },
    take: (method, path) => {
      for (const fault of active) {
        if (!fits(fault, method, path)) continue;
        const skip = toSkip.get(fault.id) ?? 0;
        if (skip > 0) {
          toSkip.set(fault.id, skip - 1);
          continue;
        }
        fault.hits += 1;
        if (fault.times !== undefined && fault.hits >= fault.times)
          active = active.filter((other) => other.id !== fault.id);
        return fault;
      }
      return undefined;
    },
    list: () => active.map((fault) => ({ ...fault })),
    clear: () => {
      active = [];
      toSkip.clear();
    },
  };
}
