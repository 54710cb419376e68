/**
 * What a job says on stdout: one JSON object a line, told apart by `lading`. Everything else on stdout or stderr is
 * plain log text. All of it is evidence from an untrusted process and is parsed as such.
 */
import { z } from 'zod';
import { END_REASONS } from './exit-codes.ts';
import { storableText } from './storable-text.ts';

/** What the container sees of itself, compared with what was asked before any secret is sent. */
export const selfReportSchema = z.object({
  uid: z.int(),
  gid: z.int(),
  /** CapEff and CapBnd of /proc/self/status, hexadecimal. */
  capEff: z.string().max(32),
  capBnd: z.string().max(32),
  noNewPrivs: z.boolean(),
  /** Seccomp mode of /proc/self/status: 2 is a filter. */
  seccomp: z.int(),
  rootReadOnly: z.boolean(),
  /** Names of network interfaces, from /proc/net/dev. */
  interfaces: z.array(z.string().max(32)).max(64),
  /** From the cgroup the job runs in (v1 or v2); null where it cannot be read. */
  memoryLimitBytes: z.number().nullable(),
  pidsLimit: z.number().nullable(),
  /** Mount options of /run/secrets, as /proc/self/mounts prints them, with the file system type first. */
  secretsMount: z.string().max(512),
});
export type SelfReport = z.infer<typeof selfReportSchema>;

export const progressSchema = z.object({
  filesDone: z.int().min(0),
  filesTotal: z.int().min(0),
  bytesDone: z.int().min(0),
  bytesTotal: z.int().min(0),
  bytesPerSecond: z.number().min(0),
  /** At this speed; absent while there is none, and where the whole is not known. */
  secondsLeft: z.number().min(0).optional(),
});
export type Progress = z.infer<typeof progressSchema>;

export const jobMessageSchema = z.discriminatedUnion('lading', [
  z.object({ lading: z.literal('ready'), nonce: z.string().min(16).max(128), self: selfReportSchema }),
  z.object({ lading: z.literal('accepted'), attemptId: z.uuid() }),
  z.object({ lading: z.literal('progress'), ...progressSchema.shape }),
  z.object({
    lading: z.literal('end'),
    reason: z.enum(END_REASONS),
    detail: z.string().max(2_000).transform(storableText),
    /** Seconds, where the provider or Drive asked for patience. */
    retryAfterSeconds: z.number().min(0).max(86_400).optional(),
  }),
]);
export type JobMessage = z.infer<typeof jobMessageSchema>;

/** The message in a line of stdout, or undefined where the line is plain text. */
export function parseJobMessage(line: string): JobMessage | undefined {
  if (!line.startsWith('{"lading":')) return undefined;
  try {
    return jobMessageSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

export const formatJobMessage = (message: JobMessage): string => `${JSON.stringify(message)}\n`;
