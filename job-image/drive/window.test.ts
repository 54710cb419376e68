import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeWindow } from './window.ts';

async function* inPieces(content: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, n = 0; at < content.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    yield content.subarray(at, at + size);
    at += size;
  }
}
async function collect(stream: AsyncIterable<Buffer>, atMost = Infinity): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= atMost) break;
  }
  return Buffer.concat(pieces);
}

describe('makeWindow', () => {
  test('whatever is given up half-way and confirmed in part, the bytes asked for are the bytes given, read once', async () => {
    const step = fc.record({ read: fc.nat(40), confirmed: fc.nat(40) });
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
        fc.array(step, { maxLength: 20 }),
        async (bytes, sizes, steps) => {
          const content = Buffer.from(bytes);
          const seen: Buffer[] = [];
          const window = makeWindow(inPieces(content, sizes), (piece) => seen.push(piece));
          let confirmed = 0;
          for (const { read, confirmed: more } of steps) {
            const to = Math.min(confirmed + 50, content.length);
            const got = await collect(window.bytes(confirmed, to), read);
            expect(got).toEqual(content.subarray(confirmed, confirmed + got.length));
            confirmed = Math.min(confirmed + Math.min(more, got.length), content.length);
            window.release(confirmed);
          }
          expect(await collect(window.bytes(confirmed, content.length))).toEqual(content.subarray(confirmed));
          expect(Buffer.concat(seen)).toEqual(content);
        },
      ),
    );
  });

  test('a read that one request left under way is joined by the next', async () => {
    const arrived = Promise.withResolvers<Buffer>();
    let reads = 0;
    const source = (async function* () {
      reads += 1;
      yield await arrived.promise;
    })();
    const window = makeWindow(source, () => undefined);
    const first = window.bytes(0, 4);
    const givenUp = first.next();
    const second = collect(window.bytes(0, 4));
    arrived.resolve(Buffer.from('abcd'));
    expect(await second).toEqual(Buffer.from('abcd'));
    expect((await givenUp).value).toEqual(Buffer.from('abcd'));
    expect(reads).toBe(1);
  });

  test('what was released cannot be asked for, and a source that fails says why', async () => {
    const source = (async function* () {
      yield Buffer.from('abcd');
      throw new Error('gone');
    })();
    const window = makeWindow(source, () => undefined);
    await collect(window.bytes(0, 4));
    window.release(2);
    expect(window.start()).toBe(2);
    expect(await collect(window.bytes(2, 4))).toEqual(Buffer.from('cd'));
    await expect(collect(window.bytes(1, 4))).rejects.toThrow('no longer held');
    expect(window.failure()).toBeUndefined();
    await expect(collect(window.bytes(2, 8))).rejects.toThrow('gone');
    expect(window.failure()).toEqual(new Error('gone'));
  });
});
