/** The work of one attempt, in order: list, folder, files, hand-over. */
import type { Envelope } from './contract/envelope.ts';
import type { JobMessage } from './contract/messages.ts';
import type { KeptSession } from './contract/sealed-session.ts';
import { makeDrive, type Drive } from './drive/call.ts';
import { listExisting, NOTHING_EXISTS, type Existing } from './drive/existing.ts';
import { findOrderFolder, makeFolderTree, makeOrderFolder } from './drive/folder.ts';
import type { JobEnd } from './ending.ts';
import { postFinalize } from './finalize.ts';
import { makeNetwork } from './network.ts';
import { makeProgress } from './progress.ts';
import { makeProvider } from './providers/make-provider.ts';
import { makeRenewToken } from './renew-token.ts';
import type { RetryLimits } from './retry.ts';
import { makeSessionLedger, type SessionLedger } from './session-ledger.ts';
import { filesAtOnce, transferAll } from './transfer.ts';
import { transferStreams } from './transfer-stream.ts';

type Earlier = {
  readonly folderId: string | undefined;
  readonly existing: Existing;
  readonly kept: ReadonlyMap<string, KeptSession>;
};

/** What earlier attempts of the job left: its folder, the files there, and the sessions of those half sent. */
async function lookForEarlier(
  drive: Drive,
  ledger: SessionLedger,
  order: Parameters<typeof findOrderFolder>[1],
  signal: AbortSignal,
): Promise<Earlier> {
  const folderId = await findOrderFolder(drive, order, signal);
  if (folderId === undefined) return { folderId, existing: NOTHING_EXISTS, kept: new Map() };
  const [existing, kept] = await Promise.all([listExisting(drive, order.jobId, folderId, signal), ledger.recall()]);
  return { folderId, existing, kept };
}

/** Resolves when the API has accepted the manifest of delivered files. Throws JobEnd, or what `signal` aborts with. */
export async function deliver(
  envelope: Envelope,
  options: {
    readonly egressSocket: string;
    readonly say: (message: JobMessage) => void;
    /** Hears of every secret that the job learns on its way. */
    readonly onSecret: (secret: string) => void;
    readonly signal: AbortSignal;
    /** How patient the job is with others; each service's own limits where it is not said. */
    readonly retry?: RetryLimits;
  },
): Promise<{ files: number; bytes: number }> {
  const { jobId, attemptId, parallelFiles, egressToken, attemptKey, resumeKey, source } = envelope;
  const { egressSocket, say, onSecret } = options;
  const refused = new AbortController();
  const signal = AbortSignal.any([options.signal, refused.signal]);
  const retry = options.retry === undefined ? {} : { retry: options.retry };
  const network = makeNetwork({
    socketPath: egressSocket,
    egressToken,
    extraCaPem: envelope.extraCaPem,
    filesAtOnce: filesAtOnce(parallelFiles),
    signal,
  });
  try {
    const { https } = network;
    const provider = await makeProvider(https, source, options.retry);
    const { apiUrl, accessToken, parentFolderId, folderName } = envelope.drive;
    const door = { egress: network.egress, egressToken, attemptKey };
    const renewToken = makeRenewToken(door, { attemptId, onToken: onSecret, ...retry }, signal);
    const drive = makeDrive({ https, apiUrl, accessToken, renewToken, ...retry });

    const onRefused = (end: JobEnd): void => refused.abort(end);
    const ledger = makeSessionLedger(door, { attemptId, resumeKey, onRefused, ...retry }, signal);
    const order = { jobId, parentFolderId, folderName };
    // While the provider lists. Nothing is made before its files are known and may be delivered.
    const earlier = lookForEarlier(drive, ledger, order, signal);
    earlier.catch(() => undefined);

    const files = await provider.list(signal);
    const streams = (await provider.streams?.(signal)) ?? [];
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const progress = makeProgress(
      { filesTotal: files.length + streams.length, bytesTotal: bytes },
      (now) => say({ lading: 'progress', ...now }),
      () => performance.now(),
    );
    progress.say();

    const { folderId: found, existing, kept } = await earlier;
    const folderId = found ?? (await makeOrderFolder(drive, order, signal));
    const folderAt = makeFolderTree(drive, { jobId, rootId: folderId, known: existing.folders }, signal);
    const delivered = await transferAll(
      { provider, drive, folderAt, existing, files, jobId, parallelFiles, progress, ledger, kept },
      signal,
    );
    delivered.push(
      ...(await transferStreams({ drive, folderAt, existing, jobId, progress, ledger, kept }, streams, signal)),
    );
    progress.say();
    ledger.close();

    const body = { type: 'attempt.finalized', attemptId, folderId, files: delivered } as const;
    await postFinalize({ ...door, body, ...retry }, signal);
    return { files: delivered.length, bytes: delivered.reduce((sum, file) => sum + file.bytes, 0) };
  } finally {
    await network.close();
  }
}
