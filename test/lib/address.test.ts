import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatAddress, isWithin, parseAddress, parseNetwork } from '../../src/lib/address.ts';

test.each<[string, string | undefined]>([
  ['192.168.0.1', '192.168.0.1'],
  ['::ffff:192.168.0.1', '192.168.0.1'],
  ['[::FFFF:c0a8:1]', '192.168.0.1'],
  ['IPv6:::ffff:192.168.0.1', '192.168.0.1'],
  ['0:0:0:0:0:ffff:192.168.0.1', '192.168.0.1'],
  // IPv4-compatible (RFC 4291, 2.5.5.1), and others that end in dotted notation: IPv6 addresses of their own
  ['::192.168.0.1', '::c0a8:1'],
  ['[::c0a8:1]', '::c0a8:1'],
  ['::0:192.168.0.1', '::c0a8:1'],
  ['0:0:0:0:0:0:192.168.0.1', '::c0a8:1'],
  ['::ffff:0:192.168.0.1', '::ffff:0:c0a8:1'],
  ['64:ff9b::192.168.0.1', '64:ff9b::c0a8:1'],
  ['::1.2.3.4%eth0', '::102:304'],
  ['::0.0.0.0', '::'],
  ['::0.0.0.1', '::1'],
  ['::256.0.0.1', undefined],
  ['010.0.0.1', undefined],
  ['10.1', undefined],
])('%s', (text, expected) => {
  const address = parseAddress(text);
  expect(address && formatAddress(address)).toBe(expected);
});

test.each<[string, string, boolean]>([
  ['192.168.0.1', '192.168.0.0/16', true],
  ['::ffff:192.168.0.1', '192.168.0.0/16', true],
  ['192.168.0.1', '::ffff:192.168.0.0/112', true],
  ['::192.168.0.1', '192.168.0.0/16', false],
  ['192.168.0.1', '::192.168.0.0/112', false],
  ['::c0a8:1', '::192.168.0.0/112', true],
  ['192.168.0.1', '::/0', false],
])('%s in %s: %s', (text, network, expected) => {
  const [address, found] = [parseAddress(text), parseNetwork(network)];
  expect(address && found && isWithin(address, found)).toBe(expected);
});

test('an IPv6 address in every spelling', () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  const groups = fc.array(group, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, fc.nat(8), fc.nat(8), fc.boolean(), (parts, from, to, dotted) => {
      const values = [...parts];
      if (from < to) values.fill(0, from, to);
      const [high = 0, low = 0] = values.slice(6);
      const ipv4 = [high >> 8, high & 255, low >> 8, low & 255].join('.');
      const words = values.map((value) => value.toString(16));
      const spelled = dotted ? [...words.slice(0, 6), ipv4] : words;
      const end = Math.min(to, spelled.length - (dotted ? 1 : 0));
      const text =
        from < end
          ? `${spelled.slice(0, from).join(':')}::${spelled.slice(end).join(':')}`
          : spelled.join(':');
      const address = [...(parseAddress(text) ?? [])];
      const mapped = address.length === 4 ? [...Array(10).fill(0), 255, 255, ...address] : address;
      expect(mapped).toEqual(values.flatMap((value) => [value >> 8, value & 255]));
      expect(URL.canParse(`http://[${text}]/`)).toBe(true);
    }),
  );
});
