/** How the command ends: sysexits where one fits. `lading --help` and docs/decisions/0012 print the same. */
export const EXIT = {
  ok: 0,
  /** It was asked, and the answer is no: nothing of that name, too late, a broken log, a failed check. */
  no: 1,
  usage: 64,
  /** The API or the database cannot be reached. */
  away: 69,
  /** The API met an error it does not know. */
  bug: 70,
  /** Too many requests, or not ready: the same again later. */
  later: 75,
  /** The key is not valid, or its role may not do this. */
  refused: 77,
  config: 78,
} as const;

/** What ends the command with a message for its user; everything else is a bug and shown with its stack. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
