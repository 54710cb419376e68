import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deriveAttemptKey } from './contract/attempt-key.ts';
import { encodeEnvelope, ENVELOPE_MAX_BYTES, readEnvelope, secretsOf, type Envelope } from './contract/envelope.ts';
import { deriveResumeKey } from './contract/sealed-session.ts';
import { parseJobMessage } from './contract/messages.ts';
import { ENVELOPE_FILE, runJob } from './job.ts';
import { ATTEMPT_ID, JOB_ID } from './test/outside.ts';

const NONCE = 'a-nonce-of-this-test-0123456789';
const ENVELOPE: Envelope = {
  jobId: JOB_ID,
  attemptId: ATTEMPT_ID,
  attemptNumber: 1,
  deadlineAt: '2030-01-01T00:00:00Z',
  course: { id: 'c', title: 'Khóa học' },
  source: {
    provider: 'manifest',
    manifestUrl: 'https://provider.example.org/manifest.json',
    bearer: 'bearer-of-the-provider',
  },
  drive: {
    apiUrl: 'https://www.googleapis.com',
    accessToken: 'ya29.access-token-of-drive',
    parentFolderId: 'p',
    folderName: 'Order',
  },
  egressToken: 'v1.egress.token',
  attemptKey: deriveAttemptKey(Buffer.alloc(32), ATTEMPT_ID),
  resumeKey: deriveResumeKey(Buffer.alloc(32), ATTEMPT_ID),
  parallelFiles: 2,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'job-'));
});
afterEach(() => rm(folder, { recursive: true }));

function start(options: { secretsDir?: string } = {}) {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const stop = new AbortController();
  const crash = Promise.withResolvers<never>();
  crash.promise.catch(() => undefined);
  let printed = '';
  stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const exit = runJob({
    stdin,
    stdout,
    nonce: NONCE,
    secretsDir: options.secretsDir ?? folder,
    egressSocket: join(folder, 'no-egress.sock'),
    stop: stop.signal,
    crashed: crash.promise,
  });
  const said = () =>
    printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => parseJobMessage(line));
  return { stdin, stdout, stop, crash, exit, said, printed: () => printed };
}

describe('the frame', () => {
  test('opens wherever the stream is cut', async () => {
    const frame = encodeEnvelope(ENVELOPE, NONCE);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(frame.length), { maxLength: 6 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), frame.length];
        const pieces = at.slice(1).map((end, n) => frame.subarray(at[n], end));
        const opened = await readEnvelope(
          (async function* () {
            yield* pieces;
          })(),
          NONCE,
        );
        expect(opened).toEqual(ENVELOPE);
      }),
    );
  });

  test('does not open with one bit changed, with another nonce, short or long', async () => {
    const frame = encodeEnvelope(ENVELOPE, NONCE);
    const opens = (bytes: Buffer, nonce = NONCE) =>
      readEnvelope(
        (async function* () {
          yield bytes;
        })(),
        nonce,
      );
    await fc.assert(
      fc.asyncProperty(fc.nat(frame.length * 8 - 1), async (bit) => {
        const bent = Buffer.from(frame);
        bent.writeUInt8(bent.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        await expect(opens(bent)).rejects.toThrow();
      }),
    );
    await expect(opens(frame, `${NONCE}x`)).rejects.toThrow('HMAC');
    await expect(opens(frame.subarray(0, -1))).rejects.toThrow('ended');
    await expect(opens(Buffer.concat([frame, Buffer.from('x')]))).rejects.toThrow('foreign');
  });
});

describe('runJob', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['foreign bytes', Buffer.from('{"stream":true}')],
    ['half an envelope', encodeEnvelope(ENVELOPE, NONCE).subarray(0, 100)],
    ['the envelope of another container', encodeEnvelope(ENVELOPE, 'another-nonce-0123456789')],
    ['a frame too large', Buffer.concat([Buffer.from('LADING1\n'), Buffer.from([0, 1, 0, 1])])],
  ])('%s on stdin: 64, and nothing is written', async (_title, bytes) => {
    const job = start();
    job.stdin.end(bytes);
    expect(await job.exit).toBe(64);
    expect(job.said()).toMatchObject([{ lading: 'end', reason: 'envelope_rejected' }]);
    await expect(stat(join(folder, ENVELOPE_FILE))).rejects.toThrow('ENOENT');
  });

  test('an accepted envelope lies in the secrets folder for its owner alone, and in no line', async () => {
    const job = start();
    job.stdin.write(encodeEnvelope(ENVELOPE, NONCE));
    await once(job.stdout, 'data');
    expect(job.said()[0]).toEqual({ lading: 'accepted', attemptId: ATTEMPT_ID });
    expect((await stat(join(folder, ENVELOPE_FILE))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(folder, ENVELOPE_FILE), 'utf8'))).toEqual(ENVELOPE);
    job.stop.abort(new Error('SIGTERM'));
    expect(await job.exit).toBe(75);
    expect(job.said().at(-1)).toMatchObject({ lading: 'end', reason: 'terminated' });
    for (const secret of secretsOf(ENVELOPE)) expect(job.printed()).not.toContain(secret);
  });

  test('told to stop while it waits, it ends at once', async () => {
    const job = start();
    job.stop.abort(new Error('SIGTERM'));
    expect(await job.exit).toBe(75);
    expect(job.said()).toMatchObject([{ lading: 'end', reason: 'terminated' }]);
  });

  test('an error nobody caught is a bug, told without secrets', async () => {
    const job = start();
    job.stdin.write(encodeEnvelope(ENVELOPE, NONCE));
    await once(job.stdout, 'data');
    const quoted = Buffer.from(ENVELOPE.drive.accessToken).toString('base64');
    job.crash.reject(new Error(`Bearer ${ENVELOPE.drive.accessToken} / ${quoted} ${'x'.repeat(5_000)}`));
    expect(await job.exit).toBe(70);
    const end = job.said().at(-1);
    expect(end).toMatchObject({
      lading: 'end',
      reason: 'bug',
      detail: expect.stringContaining('Bearer [masked] / [masked]'),
    });
    expect(job.printed()).not.toContain(ENVELOPE.drive.accessToken);
    job.stop.abort();
  });

  test('a folder for secrets that is missing is a bug, not a leak', async () => {
    const job = start({ secretsDir: join(folder, 'missing') });
    job.stdin.write(encodeEnvelope(ENVELOPE, NONCE));
    expect(await job.exit).toBe(70);
    expect(job.said()).toMatchObject([{ lading: 'end', reason: 'bug', detail: expect.stringContaining('ENOENT') }]);
  });

  test('the largest envelope passes', async () => {
    const job = start();
    const extraCaPem = 'x'.repeat(ENVELOPE_MAX_BYTES - JSON.stringify({ ...ENVELOPE, extraCaPem: '' }).length - 10);
    job.stdin.write(encodeEnvelope({ ...ENVELOPE, extraCaPem }, NONCE));
    await once(job.stdout, 'data');
    expect(job.said()[0]).toMatchObject({ lading: 'accepted' });
    job.stop.abort();
    await job.exit;
  });
});
