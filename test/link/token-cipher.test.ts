import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Authenticator, decrypt, KeyStream, TAG_BYTES } from '../../src/link/token-cipher.ts';

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

test('contents are encrypted one after another, each from a block of its own on', () => {
  fc.assert(
    fc.property(fc.array(bytes(40), { maxLength: 150 }), (all) => {
      const key = randomBytes(32);
      const zeros = Buffer.alloc(all.reduce((sum, { length }) => sum + length + 16, 0));
      const expected = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(zeros);
      const stream = new KeyStream(key);
      for (const contents of all) {
        const { block } = stream;
        const into = Buffer.alloc(3 + contents.length);
        stream.encrypt(contents, into, 3);
        const xored = contents.map((byte, i) => byte ^ (expected[block * 16 + i] ?? 0));
        expect(into.subarray(3)).toEqual(Buffer.from(xored));
        expect(decrypt(into.subarray(3), key, block)).toEqual(contents);
        expect(stream.block).toBe(block + Math.ceil(contents.length / 16));
      }
    }),
  );
});

test('tags are those of an Hmac object, and any changed bit is noticed', () => {
  fc.assert(
    fc.property(bytes(300), fc.array(bytes(2000), { minLength: 1 }), fc.nat(), (name, all, bit) => {
      const key = randomBytes(32);
      const tags = new Authenticator(key, name);
      const length = Buffer.of(name.length >> 8, name.length & 0xff);
      for (const contents of all) {
        const space = tags.space(contents.length + TAG_BYTES);
        const end = tags.start + contents.length;
        space.set(contents, tags.start);
        tags.sign(end);
        const signed = Buffer.from(space.subarray(tags.start, end + TAG_BYTES));
        const hmac = createHmac('sha256', key).update(length).update(name).update(contents);
        expect(signed.subarray(-TAG_BYTES)).toEqual(hmac.digest().subarray(0, TAG_BYTES));
        expect(new Authenticator(key, name).verifies(signed)).toBe(true);
        const changed = bit % (8 * signed.length);
        signed.writeUInt8(signed.readUInt8(changed >> 3) ^ (1 << (changed & 7)), changed >> 3);
        expect(new Authenticator(key, name).verifies(signed)).toBe(false);
      }
    }),
  );
});
