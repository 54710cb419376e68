import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { demux, type Frame } from './demux.ts';

function frameBytes(stream: 1 | 2, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
    await Promise.resolve();
  }
}

async function collect(source: AsyncIterable<Frame>): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of source) frames.push({ ...frame, payload: Buffer.from(frame.payload) });
  return frames;
}

test('frames come out as they went in, wherever the chunks are cut', async () => {
  const frames = fc.array(fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.uint8Array({ maxLength: 60 })), {
    maxLength: 20,
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(frames, cuts, async (written, sizes) => {
      const bytes = Buffer.concat(written.map(([stream, payload]) => frameBytes(stream, Buffer.from(payload))));
      const read = await collect(demux(chunked(bytes, sizes)));
      expect(read.map((frame) => [frame.stream, frame.payload.toString('hex')])).toEqual(
        written.map(([stream, payload]) => [stream === 2 ? 'stderr' : 'stdout', Buffer.from(payload).toString('hex')]),
      );
    }),
  );
});

test('50,000 frames in one chunk neither overflow the stack nor get lost', async () => {
  const bytes = Buffer.concat(Array.from({ length: 50_000 }, (_, i) => frameBytes(1, Buffer.from(`line ${i}\n`))));
  const read = await collect(demux(chunked(bytes, [bytes.length])));
  expect(read).toHaveLength(50_000);
  expect(read.at(-1)?.payload.toString()).toBe('line 49999\n');
});

test('bytes that no daemon writes are refused', async () => {
  await expect(collect(demux(chunked(Buffer.from('HTTP/1.1 500 Internal'), [100])))).rejects.toThrow('multiplexed');
});
