/** The port behind which a course's files stand. What a provider must keep, whatever it speaks to. */
import type { RetryLimits, Tried } from '../retry.ts';

export type SourceFile = {
  /** Below the course, `/` between parts, NFC, checked by path-rules. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly contentType: string | undefined;
};

/** Where reading goes on; `etag` is that of the first opening, if it had one. */
export type Position = { readonly offset: number; readonly etag: string | undefined };
export type OpenSource = { readonly body: AsyncIterable<Buffer>; readonly etag: string | undefined };

/** The source is not what the manifest announced (length, or another version half-way): the file starts again. */
export class SourceMismatchError extends Error {
  override name = 'SourceMismatchError';
}

/** A file whose length or checksum nobody knows before it has been read. */
export type StreamFile = {
  /** As in SourceFile. */
  readonly path: string;
  readonly contentType: string;
  /** What it is made from, to know it again in a later attempt: at most 64 characters. */
  readonly version: string;
  /** Its bytes from the first on. Throws JobEnd, or SourceMismatchError where it must be opened again. */
  readonly open: (signal: AbortSignal) => AsyncIterable<Buffer>;
};

export type Provider = {
  /** All files, after every check that needs no content. Throws JobEnd. */
  list: (signal: AbortSignal) => Promise<readonly SourceFile[]>;
  /**
   * Opens one file; the body starts exactly at `offset`. Answers `again` where the provider is away. Throws JobEnd where
   * asking again cannot help, SourceMismatchError where the file has changed since.
   */
  open: (file: SourceFile, at: Position, signal: AbortSignal) => Promise<Tried<OpenSource>>;
  /** The files of which less is known, where a provider has such; asked for after `list`. Throws JobEnd. */
  streams?: (signal: AbortSignal) => Promise<readonly StreamFile[]>;
  /** How patient a reader of its files is. */
  readonly retry: RetryLimits;
};
