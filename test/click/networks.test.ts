import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { NetworkSet } from '../../src/click/networks.ts';
import { parseAddress } from '../../src/lib/address.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { exampleClick } from './example-click.ts';
import { Judge } from './judge.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-networks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'scanners');

function has(set: NetworkSet, text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  return set.has(address);
}

describe('networks of scanners', () => {
  test.each([
    ['198.51.100.1', true],
    ['198.51.100.255', true],
    ['198.51.101.0', false],
    ['::ffff:198.51.100.7', true],
    ['203.0.113.5', true],
    ['203.0.113.6', false],
    ['2001:db8:1::5', true],
    ['2001:db8:2::5', false],
    ['192.0.2.77', true],
    ['192.0.3.77', false],
  ])('%s: %j', (address, expected) => {
    writeFileSync(file, '# ours\r\n192.0.2.0/24 # of the gateway\r\n\r\n2001:db8:1::/48');
    const set = new NetworkSet(['198.51.100.0/24', '203.0.113.5', `file:${file}`]);
    expect(has(set, address)).toBe(expected);
  });

  test.each([
    ['192.0.2.0/24\n\n192.0.2.0/33\n', /scanners: line 3: "192\.0\.2\.0\/33": expected an IP addr/],
    ['scanner.example\n', /scanners: line 1: "scanner\.example": expected an IP address or a net/],
  ])('a file with %j names the line', (text, message) => {
    writeFileSync(file, text);
    expect(() => new NetworkSet([`file:${file}`])).toThrow(message);
  });

  test('a file that is none is named', () => {
    expect(() => new NetworkSet([`file:${folder}/none`])).toThrow(/ENOENT.*none/);
    expect(() => new NetworkSet(['file:/dev/zero'])).toThrow('/dev/zero: expected a file');
  });

  test('a reload reads the file again; a mistake in it leaves the old networks in use', () => {
    const settings = { ...eventsDefaults, automaticNetworks: [`file:${file}`] };
    const reasons = () => judge.reasonsFor(exampleClick({ ip: '192.0.2.1' }));
    writeFileSync(file, '');
    const judge = new Judge(settings);
    expect(reasons()).toEqual([]);
    writeFileSync(file, '192.0.2.0/24');
    judge.signs.reload(settings);
    expect(reasons()).toEqual(['network']);
    writeFileSync(file, '192.0.2.0/24\nnonsense');
    expect(() => judge.signs.reload(settings)).toThrow('nonsense');
    expect(reasons()).toEqual(['network']);
  });
});
