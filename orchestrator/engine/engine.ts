import type { Duplex } from 'node:stream';
import type { Frame } from './demux.ts';

/** What an engine does for us. One Docker daemon today; a Swarm is the second implementation to come. */
export type Engine = {
  /** Whether it answers, and which version of its API we speak from here on. Throws EngineError. To be called first. */
  ping: () => Promise<void>;
  /** Returns the container's id. Throws EngineError `image_missing` or `refused`. */
  create: (spec: { name: string; body: object }) => Promise<string>;
  /** Opens stdin, stdout and stderr; before start, so that nothing is missed. */
  attach: (id: string) => Promise<Duplex>;
  /** Throws EngineError `start_failed` when the engine says so. */
  start: (id: string) => Promise<void>;
  /** Undefined when there is no such container. */
  inspect: (id: string) => Promise<ContainerState | undefined>;
  /**
   * Frames with daemon timestamps, as many together as have come, until the container's output ends. Of a container
   * that runs this may be before its end.
   */
  logs: (id: string, from: LogStart, signal: AbortSignal) => AsyncIterable<readonly Frame[]>;
  /** Waits for the end of a started container. */
  wait: (id: string, signal: AbortSignal) => Promise<void>;
  /** SIGTERM, then SIGKILL after `graceSeconds`. A container that is gone or has ended is fine. */
  stop: (id: string, graceSeconds: number) => Promise<void>;
  /** Kills if need be and removes. A container that is gone is fine. */
  remove: (id: string) => Promise<void>;
  /** Gives the container another name. A container that is gone is fine. */
  rename: (id: string, name: string) => Promise<void>;
  /** Containers with all of these labels, whatever their state. */
  list: (labels: Readonly<Record<string, string>>) => Promise<ListedContainer[]>;
  /** What a container uses now; undefined when it does not run. One reading, for which the daemon does not wait. */
  usage: (id: string) => Promise<Usage | undefined>;
  /** The image's own id (sha256:…); undefined when the engine does not have it. */
  imageId: (reference: string) => Promise<string | undefined>;
  /** The engine's host as the engine sees it: its memory, and its clock in unix seconds. */
  host: () => Promise<{ memoryBytes: number; nowSeconds: number }>;
};

/** Where to begin to read: at a moment (seconds.nanoseconds, inclusive), or so many frames before the end; else at the beginning. */
export type LogStart = { since?: string | undefined; lastFrames?: number };

export type ContainerState = {
  id: string;
  status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  exitCode: number;
  oomKilled: boolean;
  /** The engine's own words about a failed start. */
  error: string;
  /** The whole answer, for comparing with what was asked. */
  raw: unknown;
};

export type ListedContainer = { id: string; createdAtSeconds: number; state: string; labels: Record<string, string> };

/** Memory without the page cache that the kernel can take back; processor time since the start; both at `atMs` of the daemon's clock. */
export type Usage = { memoryBytes: number; cpuNanos: number; atMs: number };

export type EngineFailure = 'image_missing' | 'start_failed' | 'refused' | 'away';

export class EngineError extends Error {
  override name = 'EngineError';
  readonly failure: EngineFailure;
  constructor(failure: EngineFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.failure = failure;
  }
}
