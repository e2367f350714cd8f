import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { adviceOnDns, examineDomains, originsOf } from '../../src/commands/doctor-domains.ts';
import { loadConfig } from '../../src/config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-domains-'));
afterAll(() => rmSync(folder, { recursive: true }));

function origins(file: string): string[] {
  const { config, root, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return originsOf(root, config.scopes).map(({ scheme, domain }) => `${scheme}://${domain}`);
}

describe('the domains that links lead to, by the fallback of the scopes', () => {
  test.each([
    ['nothing is tracked', 'ESMTP_Listener { tracking_domain = a.example }', []],
    ['the default', 'ESMTP_Listener { click_tracking_enabled = on }', ['http://localhost:8080']],
    [
      'the default, written down',
      'pathway "p" { click_tracking_enabled = on tracking_domain = "localhost:8080" }',
      ['http://localhost:8080'],
    ],
    [
      'the domain is that of the listener without a name',
      `ESMTP_Listener { tracking_domain = a.example click_tracking_scheme = https }
       ESMTP_Listener "mx1" { click_tracking_enabled = on }
       pathway "newsletters" { click_tracking_enabled = on }`,
      ['https://a.example'],
    ],
    [
      'the domain is that of the pathway',
      `ESMTP_Listener { click_tracking_enabled = on tracking_domain = a.example }
       pathway "news" { tracking_domain = b.example }`,
      ['http://a.example', 'http://b.example'],
    ],
    [
      'the pathway comes in at a listener with a name',
      `ESMTP_Listener "submission" { click_tracking_enabled = on tracking_domain = a.example }
       ESMTP_Listener "mx" { }
       pathway "news" { tracking_domain = b.example }
       pathway "alerts" { click_tracking_enabled = on click_tracking_scheme = https }`,
      ['http://a.example', 'http://b.example', 'https://a.example'],
    ],
    [
      'the listener chooses the pathway',
      `ESMTP_Listener { click_tracking_enabled = on pathway = news }
       pathway "news" { tracking_domain = b.example }
       pathway "off" { click_tracking_enabled = off tracking_domain = c.example }`,
      ['http://b.example'],
    ],
    [
      'a context variable decides',
      `ESMTP_Listener { context = [ smtpapi_tracking_domain = b.example smtpapi_click_tracking = "1" ] }`,
      ['http://b.example'],
    ],
    [
      'one place has a domain, another has none',
      `ESMTP_Listener {
         Listen "*:587" { click_tracking_enabled = on }
         Peer "10.0.0.0/8" { click_tracking_enabled = on tracking_domain = a.example }
       }
       pathway "newsletters" { click_tracking_enabled = on click_tracking_scheme = https }`,
      ['http://localhost:8080', 'http://a.example', 'https://a.example'],
    ],
    [
      'places and pathways that differ in more than their domain',
      `ESMTP_Listener {
         tracking_domain = a.example
         Peer "10.0.0.1" { click_tracking_enabled = on tracking_domain = b.example }
         Peer "10.0.0.2" { click_tracking_enabled = on click_tracking_scheme = https tracking_domain = c.example }
         Peer "10.0.0.3" { context = [ smtpapi_click_tracking = "1" pathway = "off" ] tracking_domain = d.example }
       }
       pathway "own" { tracking_domain = e.example }
       pathway "off" { click_tracking_enabled = off tracking_domain = f.example }
       pathway "tls" { click_tracking_scheme = https }`,
      [
        ...['http://b.example', 'https://b.example', 'https://c.example'],
        ...['http://e.example', 'https://e.example', 'http://f.example'],
      ],
    ],
    [
      'senders have domains of their own',
      `ESMTP_Listener {
         click_tracking_enabled = on click_tracking_scheme = https
         tracking_domain = "click.{sender_domain}"
         tracking_domains_allowed = ( "click.a.example" "click.b.example:8443" "go.c.example" )
         Peer "10.0.0.1" { click_tracking_scheme = http tracking_domain = "go.{sender_domain}" }
       }`,
      ['https://click.a.example', 'http://go.c.example'],
    ],
    [
      'what is switched off',
      `ESMTP_Listener "a" { click_tracking_enabled = on tracking_domain = a.example enable = off }
       ESMTP_Listener { Listen ":25" { enable = off click_tracking_enabled = on } }`,
      [],
    ],
  ])('%s', (_, text, expected) => {
    const file = join(folder, 'test.conf');
    writeFileSync(file, text);
    expect(origins(file).sort()).toEqual([...expected].sort());
  });

  test.each([
    ['clickmilter.conf', ['http://localhost:8080']],
    [
      'examples/customers-by-login.conf',
      ['https://click.alpha.example', 'https://click.delta.example', 'https://go.beta.example'],
    ],
    [
      'examples/momentum-migration.conf',
      ['https://click.example.com', 'https://click.internal.example'],
    ],
    ['examples/one-domain.conf', ['https://click.example.com']],
    ['examples/only-port-587.conf', ['https://click.example.com']],
  ])('%s', (name, expected) => {
    const file = new URL(`../../conf/${name}`, import.meta.url).pathname;
    expect(origins(file).sort()).toEqual(expected);
  });
});

test('domains are examined sixteen at a time, and reported in their order', async () => {
  const open: ServerResponse[] = [];
  const answered = () => open.splice(0).forEach((response) => void response.writeHead(404).end());
  let left = 40;
  // No answer before sixteen wait, or all that are left.
  const server = createServer((_, response) => {
    open.push(response);
    if (open.length < Math.min(16, left)) return;
    expect(open.length).toBeLessThanOrEqual(16);
    left -= open.length;
    answered();
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const domains = Array.from({ length: 40 }, (_, index) => `127.0.0.${index + 1}:${port}`);
  const origins = domains.map((domain) => ({ scheme: 'http', domain }));
  const subjects: string[] = [];
  for await (const [finding] of examineDomains(origins, undefined)) {
    expect(finding?.message).toContain('it answers');
    subjects.push(finding?.subject ?? '');
  }
  expect(subjects).toEqual(domains.map((domain) => `http://${domain}`));
});

test.each([
  ['ENOTFOUND', 'add an A or AAAA record for click.example.com'],
  ['EAI_AGAIN', 'see /etc/resolv.conf, whose servers must answer'],
  [undefined, 'see /etc/resolv.conf, whose servers must answer'],
])('what to do where DNS says %s', (code, advice) => {
  expect(adviceOnDns(Object.assign(new Error('no'), { code }), 'click.example.com')).toBe(advice);
});
