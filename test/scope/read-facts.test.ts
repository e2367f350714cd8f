import { expect, test } from 'vitest';
import { readFacts } from '../../src/scope/facts.ts';
import { configurationOf } from '../helpers/configuration.ts';

const { macros: defaults, scopes } = configurationOf('pathway "Shop" { } pathway "other" { }');
const read = (given: Record<string, string>, settings = defaults) =>
  readFacts(settings, (name) => given[name], scopes);

test('by default the macros are those of Postfix', () => {
  const postfix = {
    daemon_name: 'mx.example',
    daemon_addr: '2001:db8::1',
    daemon_port: '587',
    client_addr: 'IPv6:2001:db8::9',
    auth_authen: 'shop',
  };
  expect(read(postfix)).toMatchInlineSnapshot(`
    {
      "listen": "2001:db8::1:587",
      "listener": "mx.example",
      "pathway": "shop",
      "peer": "IPv6:2001:db8::9",
    }
  `);
});

test('what the MTA does not say, or leaves empty, is no fact', () => {
  expect(read({})).toEqual({});
  expect(read({ daemon_addr: '192.0.2.1', client_addr: '', auth_authen: '' })).toEqual({});
});

test('of several templates the first that can be filled in counts', () => {
  const settings = {
    ...defaults,
    listen: ['{if_addr}:{daemon_port}', '{daemon_addr}:{daemon_port}'],
    listener: ['{nowhere}', 'name-{daemon_name}'],
  };
  const macros = { daemon_addr: '192.0.2.1', daemon_port: '25', daemon_name: 'MTA' };
  expect(read(macros, settings)).toEqual({ listen: '192.0.2.1:25', listener: 'name-MTA' });
});

test('of several pathways the first that is configured counts, else the first', () => {
  const settings = { ...defaults, pathway: ['{auth_authen}', '{sender_domain}'] };
  expect(read({ auth_authen: 'joe', sender_domain: 'shop' }, settings).pathway).toBe('shop');
  expect(read({ auth_authen: 'other', sender_domain: 'shop' }, settings).pathway).toBe('other');
  expect(read({ auth_authen: 'joe', sender_domain: 'x' }, settings).pathway).toBe('joe');
});

test('a macro value that looks like a template is not filled in again', () => {
  expect(read({ daemon_name: '{client_addr}', client_addr: '192.0.2.1' }).listener).toBe(
    '{client_addr}',
  );
});
