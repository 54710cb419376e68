/**
 * The engine port on one Docker daemon. Every call has its own deadline; streams end by their signal. The traps of
 * dockerode that shape this file: a create body given as plain options goes into the URL, attach with options writes
 * them into the job's stdin behind a proxy, `wait` on a created container answers 0 at once.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import Docker from 'dockerode';
import { z } from 'zod';
import { chooseApiVersion } from './api-version.ts';
import { demuxBatches } from './demux.ts';
import { EngineError, type ContainerState, type Engine, type EngineFailure } from './engine.ts';
import { usageOf } from './usage.ts';

const PING_LIMIT_MS = 3_000;
const CALL_LIMIT_MS = 10_000;
/** Starting waits for the runtime; on a loaded host several seconds. */
const START_LIMIT_MS = 60_000;
const STOP_MARGIN_MS = 15_000;
const OOM_EVENT_LATE_SECONDS = 2;
const SIGKILL_EXIT = 137;

const HTTP_NOT_MODIFIED = 304;
const HTTP_BAD_REQUEST = 400;
const HTTP_NOT_FOUND = 404;
const HTTP_CONFLICT = 409;
const HTTP_SERVER_ERROR = 500;

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;

function engineError(error: unknown, ofStatus: (status: number) => EngineFailure): EngineError {
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return new EngineError(status === undefined ? 'away' : ofStatus(status), message, { cause: error });
}

/** Swallows exactly the answers that mean "already so". */
async function already(call: Promise<unknown>, ...statuses: number[]): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!statuses.includes(statusOf(error) ?? -1)) throw engineError(error, () => 'refused');
  }
}

function connectTo(dockerHost: string): Docker {
  const url = new URL(dockerHost);
  // `host` is set even when unused: docker-modem would otherwise take it from the environment.
  return url.protocol === 'unix:'
    ? new Docker({ socketPath: url.pathname, host: undefined as never })
    : new Docker({ host: url.hostname, port: url.port || '2375', protocol: 'http' });
}

const limit = (ms: number = CALL_LIMIT_MS): AbortSignal => AbortSignal.timeout(ms);

/** A deadline for the answer to a call whose stream then lives on; what comes too late is let go. */
function within<T>(answer: Promise<T>, call: string, letGo: (late: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error(`${call}: no answer within ${CALL_LIMIT_MS} ms`));
    }, CALL_LIMIT_MS);
    answer.then(
      (value) => {
        clearTimeout(timer);
        if (late) letGo(value);
        else resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

const versionSchema = z.object({ ApiVersion: z.string(), MinAPIVersion: z.string().optional() });

type Dial = {
  path: string;
  method: string;
  statusCodes: Record<number, boolean | string>;
  options?: object;
  file?: Buffer;
  hijack?: boolean;
  isStream?: boolean;
  openStdin?: boolean;
  abortSignal?: AbortSignal;
};

const dialOf =
  (docker: Docker) =>
  <T>(options: Dial): Promise<T> =>
    new Promise((resolve, reject) => {
      docker.modem.dial(options, (error: unknown, answer: unknown) =>
        error instanceof Error ? reject(error) : resolve(answer as T),
      );
    });

/** `dockerHost` is unix:///path or tcp://host:port. */
export function makeDockerEngine(dockerHost: string): Engine {
  const docker = connectTo(dockerHost);
  const dial = dialOf(docker);

  /** Asked without a version, so that a daemon that was replaced meanwhile is understood. */
  const dialAnyVersion = dialOf(connectTo(dockerHost));
  async function negotiate(): Promise<void> {
    const daemon = await dialAnyVersion({
      path: '/version',
      method: 'GET',
      statusCodes: { 200: true },
      abortSignal: limit(PING_LIMIT_MS),
    });
    const chosen = chooseApiVersion(versionSchema.parse(daemon));
    if ('problem' in chosen) throw new EngineError('refused', chosen.problem);
    (docker.modem as { version?: string }).version = `v${chosen.version}`;
  }

  /**
   * The daemon marks a container as out of memory only when it hears of it before the exit. Its event comes in any case,
   * at times a moment later.
   */
  async function hadOomEvent(id: string, { StartedAt, FinishedAt }: { StartedAt: string; FinishedAt: string }) {
    const events = await docker.getEvents({
      since: Math.floor(Date.parse(StartedAt) / 1_000),
      // Of a moment to come the daemon waits for it.
      until: Math.floor(Date.parse(FinishedAt) / 1_000) + OOM_EVENT_LATE_SECONDS,
      filters: { container: [id], event: ['oom'] },
      abortSignal: limit(),
    });
    const [first] = await (events as Readable).take(1).toArray();
    return first !== undefined;
  }

  async function inspect(id: string): Promise<ContainerState | undefined> {
    try {
      const raw = await docker.getContainer(id).inspect({ abortSignal: limit() });
      const { State: state } = raw;
      const isUnclear = state.Status === 'exited' && state.ExitCode === SIGKILL_EXIT && !state.OOMKilled;
      return {
        id: raw.Id,
        status: state.Status as ContainerState['status'],
        exitCode: state.ExitCode,
        oomKilled: isUnclear ? await hadOomEvent(raw.Id, state) : state.OOMKilled,
        error: state.Error,
        raw,
      };
    } catch (error) {
      if (statusOf(error) === HTTP_NOT_FOUND) return undefined;
      throw engineError(error, () => 'refused');
    }
  }

  return {
    inspect,
    ping: () =>
      negotiate().catch((error: unknown) => {
        throw error instanceof EngineError ? error : engineError(error, () => 'away');
      }),
    create: async ({ name, body }) => {
      try {
        const { Id } = await dial<{ Id: string }>({
          path: '/containers/create?',
          method: 'POST',
          options: { _query: { name }, _body: body },
          statusCodes: {
            201: true,
            400: 'bad parameter',
            404: 'no such image',
            409: 'name in use',
            500: 'server error',
          },
          abortSignal: limit(START_LIMIT_MS),
        });
        return Id;
      } catch (error) {
        throw engineError(error, (status) => (status === HTTP_NOT_FOUND ? 'image_missing' : 'refused'));
      }
    },
    attach: (id) => {
      // A body of exactly no bytes: Content-Length 0, so that nothing can ever reach the job's stdin before us.
      const attached = dial<Duplex>({
        // What it writes to stderr is read from its log. (Without options the modem cuts off the last letter of the path.)
        path: `/containers/${id}/attach?`,
        options: { _query: { stream: 1, stdin: 1, stdout: 1 } },
        method: 'POST',
        file: Buffer.alloc(0),
        hijack: true,
        isStream: true,
        openStdin: true,
        statusCodes: { 101: true, 200: true, 404: 'no such container', 409: 'paused', 500: 'server error' },
      });
      return within(attached, 'attach', (stream) => stream.destroy()).catch((error: unknown) => {
        throw engineError(error, () => 'refused');
      });
    },
    start: async (id) => {
      try {
        await docker.getContainer(id).start({ abortSignal: limit(START_LIMIT_MS) });
      } catch (error) {
        throw engineError(error, (status) =>
          status === HTTP_BAD_REQUEST || status >= HTTP_SERVER_ERROR ? 'start_failed' : 'refused',
        );
      }
    },
    logs: async function* (id, { since, lastFrames }, signal) {
      const answered = docker.getContainer(id).logs({
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        ...(since === undefined ? {} : { since: since as unknown as number }),
        ...(lastFrames === undefined ? {} : { tail: lastFrames }),
        abortSignal: signal,
      }) as unknown as Promise<IncomingMessage>;
      yield* demuxBatches(await within(answered, 'logs', (stream) => stream.destroy()));
    },
    wait: async (id, signal) => {
      // The default condition is met at once by a container that was never started.
      const state = await inspect(id);
      if (state === undefined || state.status === 'created') return;
      await docker
        .getContainer(id)
        .wait({ abortSignal: signal })
        .catch((error: unknown) => {
          if (statusOf(error) !== HTTP_NOT_FOUND) throw engineError(error, () => 'refused');
        });
    },
    stop: async (id, graceSeconds) => {
      const signal = limit(graceSeconds * 1_000 + STOP_MARGIN_MS);
      await already(
        docker.getContainer(id).stop({ t: graceSeconds, abortSignal: signal }),
        HTTP_NOT_MODIFIED,
        HTTP_NOT_FOUND,
      );
    },
    remove: async (id) => {
      const removed = docker.getContainer(id).remove({ force: true, v: true, abortSignal: limit(START_LIMIT_MS) });
      await already(removed, HTTP_NOT_FOUND, HTTP_CONFLICT);
    },
    rename: async (id, name) => {
      await already(docker.getContainer(id).rename({ name, abortSignal: limit() }), HTTP_NOT_FOUND);
    },
    list: async (labels) => {
      const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
      const found = await docker.listContainers({ all: true, filters: { label }, abortSignal: limit() });
      return found.map((one) => ({ id: one.Id, createdAtSeconds: one.Created, state: one.State, labels: one.Labels }));
    },
    usage: async (id) => {
      try {
        const stats = dial<unknown>({
          path: `/containers/${id}/stats?`,
          method: 'GET',
          options: { stream: false, 'one-shot': true },
          statusCodes: { 200: true, 404: 'no such container', 409: 'not running', 500: 'server error' },
          abortSignal: limit(),
        });
        // The call's own deadline does not end an answer that has begun.
        return usageOf(await within(stats, 'stats', () => undefined));
      } catch (error) {
        if (statusOf(error) === HTTP_NOT_FOUND || statusOf(error) === HTTP_CONFLICT) return undefined;
        throw engineError(error, () => 'refused');
      }
    },
    host: async () => {
      try {
        const info = await dial<{ MemTotal: number; SystemTime: string }>({
          path: '/info',
          method: 'GET',
          statusCodes: { 200: true, 500: 'server error' },
          abortSignal: limit(),
        });
        return { memoryBytes: info.MemTotal, nowSeconds: Date.parse(info.SystemTime) / 1000 };
      } catch (error) {
        throw engineError(error, () => 'refused');
      }
    },
    imageId: async (reference) => {
      try {
        const image = await dial<{ Id: string }>({
          path: `/images/${encodeURIComponent(reference)}/json`,
          method: 'GET',
          statusCodes: { 200: true, 404: 'no such image', 500: 'server error' },
          abortSignal: limit(),
        });
        return image.Id;
      } catch (error) {
        if (statusOf(error) === HTTP_NOT_FOUND) return undefined;
        throw engineError(error, () => 'refused');
      }
    },
  };
}
