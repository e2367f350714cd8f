import { expect, test } from 'vitest';
import { parseTrackingDomain } from '../../src/lib/host-name.ts';

test.each([
  ['Click.Example.COM', 'click.example.com'],
  ['click.example.com.', 'click.example.com'],
  ['localhost:8080', 'localhost:8080'],
  ['click.example.com:0443', 'click.example.com:443'],
  ['192.0.2.1:80', '192.0.2.1:80'],
  ['[2001:DB8:0::1]:8080', '[2001:db8::1]:8080'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['t_k.example', 't_k.example'],
])('%s is read as %s', (text, expected) => {
  expect(parseTrackingDomain(text)).toBe(expected);
});

test.each([
  '',
  ':8080',
  'http://click.example.com',
  'click.example.com/x',
  'click..example',
  '-click.example',
  'click.example:0',
  'click.example:65536',
  'click.example:x',
  'bücher.example',
  'a b.example',
  'user@click.example',
  '2001:db8::1',
  '[192.0.2.1]',
  '[x]',
  `${'a'.repeat(64)}.example`,
])('%s is no tracking domain', (text) => {
  expect(parseTrackingDomain(text)).toBeUndefined();
});
