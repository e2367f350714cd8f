import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Stanza } from '../../src/config/stanza.ts';
import { stanzas } from '../../src/config/stanzas.ts';
import type { Facts } from '../../src/scope/facts.ts';

const conf = new URL('../../conf/', import.meta.url).pathname;
const load = (name: string) => {
  const { config, problems } = loadConfig(join(conf, name));
  return {
    config,
    problems: problems.map((problem) => formatProblem(problem).replace(conf, '')),
    tracked: (facts: Facts) => {
      const options = config?.scopes.match(facts).options;
      return options?.clickTrackingEnabled
        ? `${options.clickTrackingScheme}://${options.trackingDomain}`
        : 'no';
    },
  };
};

test('every example is tested here', () => {
  expect(readdirSync(join(conf, 'examples')).sort()).toEqual([
    'customers-by-login.conf',
    'momentum-migration.conf',
    'one-domain.conf',
    'only-port-587.conf',
  ]);
});

describe('clickmilter.conf', () => {
  const shipped = load('clickmilter.conf');

  test('loads without a word, on embedded defaults', () => {
    expect(shipped.problems).toEqual([]);
    const { linkStore, milter, http, web, control, smtpapi } = shipped.config ?? {};
    expect({
      linkStore,
      milter: milter?.listen,
      http: http?.listen,
      web: web?.listen,
      control,
      smtpapi,
    }).toEqual({
      linkStore: 'sealed',
      milter: [{ host: '127.0.0.1', port: 8893 }],
      http: [{ host: '127.0.0.1', port: 8080 }],
      web: [{ host: '127.0.0.1', port: 8896 }],
      control: { listen: [{ host: '127.0.0.1', port: 8894 }] },
      smtpapi: true,
    });
  });

  test('keeps its state beside itself, not in it', () => {
    expect(shipped.config?.stateDirectory).toBe(join(conf, '../var'));
  });

  test.each([
    ['submission', { listen: '192.0.2.1:587', peer: '198.51.100.1' }, 'http://localhost:8080'],
    [
      'local mail of Postfix',
      { listen: '127.0.0.1:0', peer: '127.0.0.1' },
      'http://localhost:8080',
    ],
    ['a local program on port 25', { listen: '[::1]:25', peer: '::1' }, 'http://localhost:8080'],
    ['the world', { listen: '192.0.2.1:25', peer: '198.51.100.1' }, 'no'],
    [
      'submission over TLS',
      { listen: '[2001:db8::1]:465', peer: '198.51.100.1' },
      'http://localhost:8080',
    ],
    ['a port nobody mentioned', { listen: '192.0.2.1:2525', peer: '198.51.100.1' }, 'no'],
    ['somebody unknown', {}, 'no'],
  ])('%s', (_, facts, expected) => expect(shipped.tracked(facts)).toBe(expected));

  // What is commented out must be right as well: the file is the reference.
  test('names every stanza and option, each with its default, or with an example that is valid', () => {
    const text = readFileSync(join(conf, 'clickmilter.conf'), 'utf8');
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-reference-'));
    try {
      const file = join(folder, 'all.conf');
      // Prose has one space after its #.
      writeFileSync(file, text.replace(/^( *)#(?=[^\s#]| {2})/gm, '$1'));
      const { root, problems } = loadConfig(file);
      const unexpected = problems.filter(
        ({ message }) =>
          !/both set|override the host|is set twice|hold metadata only/.test(message),
      );
      expect(unexpected.map(formatProblem)).toEqual([]);

      const all = descendants(root);
      for (const { id, name, options } of stanzas) {
        const found = all.filter(({ definition }) => definition.id === id);
        if (found.length === 0) throw new Error(`the reference does not show ${name}`);
        if (['peer', 'pathway', 'pathway_group', 'listen', 'control_listener'].includes(id))
          continue;
        for (const [option, { default: value }] of Object.entries(options)) {
          const setting = found.map((stanza) => stanza.settings.get(option)).find(Boolean);
          if (!setting && option !== 'enable')
            throw new Error(`it does not show ${option} of ${name}`);
          if (!setting || value === undefined || ['object', 'function'].includes(typeof value))
            continue;
          expect({ option, value: setting.value }).toEqual({ option, value });
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('one-domain.conf', () => {
  const { problems, tracked, config } = load('examples/one-domain.conf');
  const ours = 'https://click.example.com';
  test('loads without a word', () => expect(problems).toEqual([]));
  test.each([
    [{ listen: '192.0.2.1:587', peer: '198.51.100.1' }, ours],
    [{ listen: '192.0.2.1:25', peer: '192.168.3.4' }, ours],
    [{ listen: '127.0.0.1:0', peer: '127.0.0.1' }, ours],
    [{ listen: '192.0.2.1:25', peer: '192.168.0.25' }, 'no'],
    [{ listen: '192.0.2.1:25', peer: '198.51.100.1' }, 'no'],
  ])('%j', (facts, expected) => expect(tracked(facts)).toBe(expected));
  test('leaves colleagues and the pages for unsubscribing alone', () => {
    const options = config?.scopes.match({}).options;
    expect(options?.excludeRecipients.matches('boss@example.com')).toBe(true);
    expect(options?.excludeUrls.matches('https://list.example.com/unsubscribe?u=1')).toBe(true);
  });
});

describe('customers-by-login.conf', () => {
  const { problems, tracked, config } = load('examples/customers-by-login.conf');
  test('loads without a word', () => expect(problems).toEqual([]));
  test.each([
    ['news@alpha.example', 'https://click.alpha.example'],
    ['shop@beta.example', 'https://go.beta.example'],
    ['office@gamma.example', 'no'],
    ['delta.example', 'https://click.delta.example'],
    ['nobody', 'no'],
  ])('%s', (pathway, expected) => {
    expect(tracked({ listen: '192.0.2.1:587', pathway })).toBe(expected);
  });
  test('the sender domain counts where the login has no pathway', () => {
    expect(config?.macros.pathway).toEqual(['{auth_authen}', '{sender_domain}']);
  });
});

describe('only-port-587.conf', () => {
  const { problems, tracked } = load('examples/only-port-587.conf');
  test('loads without a word', () => expect(problems).toEqual([]));
  test.each([
    [{ listen: '192.0.2.1:587' }, 'https://click.example.com'],
    [{ listen: '2001:db8::1:587' }, 'https://click.example.com'],
    [{ listen: '192.0.2.1:25', peer: '127.0.0.1' }, 'no'],
  ])('%j', (facts, expected) => expect(tracked(facts)).toBe(expected));
});

describe('momentum-migration.conf', () => {
  const { problems, tracked, config } = load('examples/momentum-migration.conf');
  test('loads with a warning for each option that is not needed any more', () => {
    expect(problems).toMatchInlineSnapshot(`
      [
        "examples/momentum-migration.conf:13:3: warning: SMTP_Extensions is an option of Momentum that clickmilter ignores",
        "examples/momentum-migration.conf:23:5: warning: open_tracking_enabled is not implemented by clickmilter: opens will not be tracked",
        "examples/momentum-migration.conf:24:5: warning: Listen_Backlog is an option of Momentum that clickmilter ignores",
      ]
    `);
  });
  test.each([
    [{ listen: '192.0.2.1:25', peer: '192.0.2.9' }, 'https://click.example.com'],
    [{ listen: '192.0.2.1:25', peer: '10.0.0.1' }, 'no'],
    [{ listen: '192.0.2.1:587', peer: '10.0.0.1' }, 'https://click.internal.example'],
    [{ listen: '192.0.2.1:2525', peer: '192.0.2.9' }, 'https://click.example.com'],
  ])('%j', (facts, expected) => expect(tracked(facts)).toBe(expected));
  test('has the pathway of port 25, and of nothing else', () => {
    const newsletters = config?.scopes.match({ listen: '192.0.2.1:25' });
    expect(newsletters?.pathway).toBe('newsletters');
    expect(newsletters?.options.trackingLinkExpiry).toBe(86_400);
    expect(config?.scopes.match({ listen: '192.0.2.1:587' }).pathway).toBeUndefined();
  });
});

describe('the configurations for containers', () => {
  const ours = 'https://click.example.com';
  test.each([
    ['docker-mailserver/clickmilter.conf', { listener: 'ORIGINATING' }, ours],
    ['docker-mailserver/clickmilter.conf', { listener: 'mail.example.com' }, 'no'],
    ['mailcow/clickmilter.conf', { listen: '172.22.1.253:587' }, ours],
    ['mailcow/clickmilter.conf', { listen: '172.22.1.253:465' }, ours],
    ['mailcow/clickmilter.conf', { listen: '172.22.1.253:588' }, ours],
    ['mailcow/clickmilter.conf', { listen: '172.22.1.253:25' }, 'no'],
  ])('%s: %j', (name, facts, expected) => {
    const { problems, tracked } = load(`examples-container/${name}`);
    expect(problems).toEqual([]);
    expect(tracked(facts)).toBe(expected);
  });

  test('clickmilter.conf gives a sender its domain', () => {
    const { problems, config } = load('examples-container/clickmilter.conf');
    expect(problems).toEqual([]);
    expect([...(config?.scopes.trackingHosts ?? [])]).toContain('click.example.com');
  });
});

function descendants(stanza: Stanza): Stanza[] {
  return [stanza, ...[...stanza.children].flatMap(descendants)];
}
