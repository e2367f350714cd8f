import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader } from '../../src/milter/frame.ts';
import { body, mail, packet, quit } from '../helpers/milter-wire.ts';

/** Frames as `letter data`, however the bytes are cut. */
function read(chunks: readonly Buffer[]): string[] {
  const reader = new FrameReader();
  const found: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next()) {
      found.push(`${String.fromCharCode(reader.command)} ${reader.payload.toString('latin1')}`);
    }
  }
  return found;
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  ends.sort((a, b) => a - b);
  return ends.map((end, n) => bytes.subarray(ends[n - 1] ?? 0, end));
}

describe('frames', () => {
  const sent = [mail('<a@b>'), body('some text'), packet('E', 'the end'), quit()];
  const expected = ['M <a@b>\0', 'B some text', 'E the end', 'Q '];
  const whole = Buffer.concat(sent);

  test('all in one read', () => {
    expect(read([whole])).toEqual(expected);
  });

  test('cut in two at every byte', () => {
    for (let at = 0; at <= whole.length; at++) {
      expect(read([whole.subarray(0, at), whole.subarray(at)]), `cut at ${at}`).toEqual(expected);
    }
  });

  test('byte by byte', () => {
    expect(read([...whole].map((byte) => Buffer.of(byte)))).toEqual(expected);
  });

  test('any frames, cut anywhere', () => {
    const frames = fc.array(
      fc.tuple(fc.constantFrom('B', 'M', 'L', 'E'), fc.string({ unit: 'binary', maxLength: 300 })),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 12 }), (list, places) => {
        const texts = list.map(([letter, text]) => `${letter} ${latin1(text)}`);
        const bytes = Buffer.concat(list.map(([letter, text]) => packet(letter, latin1(text))));
        expect(read(cutAt(bytes, places))).toEqual(texts);
      }),
    );
  });

  test('payloads are views on the bytes read, unless reads have cut a frame', () => {
    const reader = new FrameReader();
    // Memory of their own, out of Node's pool for small buffers.
    const cut = [whole, Buffer.concat([whole, whole.subarray(0, 9)]), whole.subarray(9)];
    const chunks = cut.map((chunk) => Buffer.from(Uint8Array.from(chunk).buffer));
    const views: boolean[] = [];
    for (const chunk of chunks) {
      reader.push(chunk);
      while (reader.next())
        views.push(chunks.some(({ buffer }) => buffer === reader.payload.buffer));
    }
    // The frame that was cut is joined; those after it are views on the second read.
    expect(views.join()).toBe('true,true,true,true,true,true,true,true,false,true,true,true');
  });

  test.each([
    ['00000000', 'milter: frame: length 0: expected 1 to 65536'],
    ['0001000141', 'milter: frame: length 65537: expected 1 to 65536'],
    ['ffffffff41', 'milter: frame: length 4294967295: expected 1 to 65536'],
  ])('length %s is refused as soon as it is known', (hex, message) => {
    for (const cut of [false, true]) {
      const reader = new FrameReader();
      const bytes = Buffer.from(hex, 'hex');
      if (cut) for (const byte of bytes.subarray(0, 4)) reader.push(Buffer.of(byte));
      else reader.push(Buffer.concat([bytes, Buffer.alloc(5)]));
      expect(() => reader.next()).toThrow(message);
    }
  });

  test('the largest frame there is', () => {
    expect(read([packet('L', Buffer.alloc(65535, 'x'))])).toEqual([`L ${'x'.repeat(65535)}`]);
  });
});

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
