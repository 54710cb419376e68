import { z } from 'zod';
import { makeApiClient, type ApiClient } from '../api-client.ts';
import { apiUrl } from '../api-url.ts';
import { readKeyFile } from '../key-file.ts';
import { enginesAnswer } from '../queue-commands.ts';
import { clockFinding, fail, ok, reasonOf, warn, type Finding } from './finding.ts';

const LIMIT_MS = 5_000;
const API_VERSION = '1';
const GIB = 1024 ** 3;

const documentSchema = z.object({ openapi: z.string(), info: z.object({ title: z.string(), version: z.string() }) });
const queueSchema = z.object({ pausedAt: z.string().nullable(), reason: z.string().nullable(), waiting: z.int() });
type Engine = z.infer<typeof enginesAnswer>['engines'][number];

async function reach(url: string): Promise<Finding[]> {
  const before = Date.now();
  const response = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(LIMIT_MS), redirect: 'error' });
  const middle = (before + Date.now()) / 2;
  const { info } = documentSchema.parse(await response.json());
  const isOurs = info.title === 'Lading' && info.version === API_VERSION;
  const about = `${info.title}, version ${info.version}, at ${url}`;
  const said = Date.parse(response.headers.get('date') ?? '');
  return [
    isOurs ? ok('api', about) : fail('api', about, `this command speaks with version ${API_VERSION} of Lading`),
    // The header has whole seconds.
    ...(Number.isNaN(said)
      ? []
      : [clockFinding('clock of the API', Math.trunc((said + 500 - middle) / 1_000) * 1_000)]),
  ];
}

/** What one engine lacks, as its orchestrators wrote it down. */
export function engineFinding(engine: Engine): Finding {
  const check = `engine ${engine.name}`;
  const { diskFreeBytes: free, diskFloorBytes: floor } = engine;
  const disk =
    free === null ? 'disk not measured' : `${(free / GIB).toFixed(1)} GiB free, floor ${(floor / GIB).toFixed(1)}`;
  const detail = `${engine.slotsUsed} of ${engine.slots} slots taken, ${disk}`;
  if (engine.quarantinedAt !== null)
    return fail(
      check,
      `in quarantine: ${engine.quarantineReason}`,
      'mend the daemon; it is let in again when it answers',
    );
  if (free !== null && free < floor)
    return fail(check, detail, 'below its floor nothing begins: make room on its disk');
  if (engine.drainedAt !== null) return warn(check, `drained: ${engine.drainReason}`, `lading undrain ${engine.name}`);
  if (free !== null && free < 2 * floor) return warn(check, detail, 'nearly at its floor: make room on its disk');
  return ok(check, detail);
}

async function operating(api: ApiClient): Promise<Finding[]> {
  const queue = queueSchema.parse(await api.get('/v1/queue'));
  const { engines } = enginesAnswer.parse(await api.get('/v1/engines'));
  return [
    ok('key', 'opens the API'),
    queue.pausedAt === null
      ? ok('queue', `attempts begin; ${queue.waiting} jobs wait`)
      : warn('queue', `paused: ${queue.reason}; ${queue.waiting} jobs wait`, 'lading resume'),
    ...(engines.length === 0 ? [fail('engines', 'none', 'start an orchestrator')] : engines.map(engineFinding)),
  ];
}

export async function checkApi(given: {
  LADING_URL?: string | undefined;
  LADING_PLAIN_HTTP?: string | undefined;
  LADING_KEY_FILE?: string | undefined;
}): Promise<Finding[]> {
  let url: string;
  try {
    url = apiUrl(given);
  } catch (error) {
    return [fail('api', reasonOf(error), 'set LADING_URL')];
  }
  let reached: Finding[];
  try {
    reached = await reach(url);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return [fail('api', `${url}: ${reasonOf(cause)}`, 'is it running, and is LADING_URL right?')];
  }
  try {
    return [...reached, ...(await operating(makeApiClient(url, readKeyFile(given.LADING_KEY_FILE))))];
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return [
      ...reached,
      fail('key', said.split('\n')[0] ?? '', 'lading keys create NAME --role auditor --key-file PATH'),
    ];
  }
}
