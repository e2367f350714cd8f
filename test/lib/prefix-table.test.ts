import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatNetwork, type Network, parseNetwork } from '../../src/lib/address.ts';
import { PrefixTable } from '../../src/lib/prefix-table.ts';

/** Few bits that differ, so that networks often hold one another. */
const network = fc
  .oneof(
    fc.tuple(fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 4, maxLength: 4 }), fc.nat(32)),
    fc.tuple(
      fc
        .array(fc.constantFrom(0, 255), { minLength: 16, maxLength: 16 })
        // ::ffff:0:0/96 are IPv4 addresses, and spelt as such.
        .filter((bytes) => bytes.findIndex((byte) => byte !== 0) !== 10 || bytes[11] !== 255),
      fc.nat(128),
    ),
  )
  .map(([bytes, length]): Network => ({ address: Uint8Array.from(bytes), length }));

const bitsOf = ({ address, length }: Network) =>
  [...address]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .slice(0, length);

const holds = (outer: Network, inner: Network) =>
  outer.address.length === inner.address.length && bitsOf(inner).startsWith(bitsOf(outer));

test('finds the networks that comparing bit by bit finds, the smallest first', () => {
  fc.assert(
    fc.property(fc.array(network, { maxLength: 40 }), network, (networks, wanted) => {
      const table = new PrefixTable<string>();
      for (const each of networks) table.set(each, formatNetwork(each));
      const expected = networks
        .filter((each) => holds(each, wanted))
        .sort((a, b) => b.length - a.length)
        .map(formatNetwork);
      expect(table.covering(wanted)).toEqual([...new Set(expected)]);
    }),
    { numRuns: 500 },
  );
});

test('a network is found again by its own canonical spelling', () => {
  fc.assert(
    fc.property(network, (each) => {
      const again = parseNetwork(formatNetwork(each));
      expect(again && formatNetwork(again)).toBe(formatNetwork(each));
    }),
  );
});
