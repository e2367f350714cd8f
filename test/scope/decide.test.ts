import { describe, expect, test } from 'vitest';
import { contextVariableNames } from '../../src/scope/context-variables.ts';
import { decide, type SenderWishes } from '../../src/scope/decide.ts';
import { configurationOf } from '../helpers/configuration.ts';

const { scopes } = configurationOf(`
ESMTP_Listener {
  click_tracking_enabled = on
  tracking_domain = "option.example"
  Peer "10.0.0.1" {
    context = [
      smtpapi_click_tracking = 0
      smtpapi_click_tracking_scheme = https
      smtpapi_tracking_domain = "context.example"
      smtpapi_tracking_link_expiry = 60
      smtpapi_campaign_id = "from context"
      smtpapi_metadata = '{"from":"context"}'
      smtpapi_tags = '["context"]' mo_customer_id = 17
    ]
  }
  Peer "10.0.0.2" { click_tracking_enabled = off }
  Peer "10.0.0.3" { context = [ pathway = "news" ] }
  Peer "10.0.0.4" { pathway = "news" }
}
pathway "news" { tracking_domain = "news.example" context = [ smtpapi_campaign_id = "news" ] }
pathway "alerts" { click_tracking_enabled = off }
`);
const plain = { peer: '192.0.2.1' };
const withContext = { peer: '10.0.0.1' };
const off = { peer: '10.0.0.2' };
const limits = { maxMetadataLen: 1000 };

function decided(
  facts: { peer: string },
  header?: SenderWishes,
  macros: Record<string, string> = {},
) {
  return decide(scopes.match(facts), header, new Map(Object.entries(macros)), limits);
}

/** What decided an option: its kind, and what it is called there. */
function why(decision: ReturnType<typeof decide>, option: string): string {
  const from = decision.reasons().get(option)?.from;
  if (from?.kind === 'header') return `header ${from.field}`;
  if (from?.kind === 'vendor') return `vendor ${from.header}`;
  if (from?.kind !== 'configuration') return from ? `${from.kind} ${from.name}` : 'nothing';
  return from.setting.origin === 'default' ? 'default' : `line ${from.setting.origin.line}`;
}

describe('context variable, then X-MSYS-API, then configuration', () => {
  test.each([
    // what is given                                                       option, value, why
    ['nothing', plain, undefined, {}, true, 'line 3'],
    ['nothing', off, undefined, {}, false, 'line 16'],
    ['header', off, { clickTracking: true }, {}, true, 'header options.click_tracking'],
    ['header', plain, { clickTracking: false }, {}, false, 'header options.click_tracking'],
    ['context', withContext, undefined, {}, false, 'context smtpapi_click_tracking'],
    [
      'context and header',
      withContext,
      { clickTracking: true },
      {},
      false,
      'context smtpapi_click_tracking',
    ],
    [
      'macro',
      off,
      undefined,
      { smtpapi_click_tracking: '1' },
      true,
      'macro smtpapi_click_tracking',
    ],
    [
      'macro and header',
      plain,
      { clickTracking: true },
      { smtpapi_click_tracking: 'false' },
      false,
      'macro smtpapi_click_tracking',
    ],
    [
      'macro and context',
      withContext,
      undefined,
      { smtpapi_click_tracking: 'true' },
      true,
      'macro smtpapi_click_tracking',
    ],
    [
      'empty macro',
      withContext,
      undefined,
      { smtpapi_click_tracking: '' },
      false,
      'context smtpapi_click_tracking',
    ],
    [
      'wrong macro',
      off,
      { clickTracking: true },
      { smtpapi_click_tracking: 'perhaps' },
      true,
      'header options.click_tracking',
    ],
  ])('click_tracking_enabled by %s', (_, facts, header, macros, value, from) => {
    const decision = decided(facts, header, macros);
    expect(decision.options.clickTrackingEnabled).toBe(value);
    expect(decision.reasons().get('click_tracking_enabled')?.value).toBe(value);
    expect(why(decision, 'click_tracking_enabled')).toBe(from);
  });

  test('every option with a context variable takes it from the scope', () => {
    const { options, message } = decided(withContext);
    expect(options).toMatchObject({
      clickTrackingScheme: 'https',
      trackingDomain: 'context.example',
      trackingLinkExpiry: 60,
    });
    expect(message).toEqual({
      campaignId: 'from context',
      metadata: { from: 'context' },
      tags: ['context'],
      customerId: '17',
    });
  });

  test('and from the MTA, before the header', () => {
    const decision = decided(
      withContext,
      { campaignId: 'header', metadata: { from: 'header' }, tags: ['header'] },
      {
        smtpapi_click_tracking_scheme: 'http',
        smtpapi_tracking_domain: 'Macro.Example',
        smtpapi_tracking_link_expiry: '90',
        smtpapi_campaign_id: 'macro',
        smtpapi_metadata: '{"from":"macro"}',
        smtpapi_tags: '["macro"]',
        mo_customer_id: '18',
      },
    );
    expect(decision.options).toMatchObject({
      clickTrackingScheme: 'http',
      trackingDomain: 'macro.example',
      trackingLinkExpiry: 90,
    });
    expect(decision.message).toEqual({
      campaignId: 'macro',
      metadata: { from: 'macro' },
      tags: ['macro'],
      customerId: '18',
    });
    expect(why(decision, 'metadata')).toBe('macro smtpapi_metadata');
  });

  test('the header alone gives campaign, metadata and tags', () => {
    const decision = decided(plain, { campaignId: 'c', metadata: { m: 1 }, tags: ['t'] });
    expect(decision.message).toEqual({ campaignId: 'c', metadata: { m: 1 }, tags: ['t'] });
    expect(decision.reasons().get('metadata')).toEqual({
      value: '{"m":1}',
      from: { kind: 'header', field: 'metadata' },
    });
  });

  test('a value that is not valid is told, and the next one counts', () => {
    const macros = {
      smtpapi_click_tracking: 'yes',
      smtpapi_click_tracking_scheme: 'ftp',
      smtpapi_tracking_domain: 'http://x',
      smtpapi_tracking_link_expiry: '0',
      smtpapi_campaign_id: 'é'.repeat(33),
      smtpapi_metadata: `{"a":"${'x'.repeat(1000)}"}`,
      smtpapi_tags: '["a", 1]',
    };
    const { options, message } = decided(withContext, undefined, macros);
    const byContext = decided(withContext, undefined, {});
    expect({ options, message }).toEqual({
      options: byContext.options,
      message: byContext.message,
    });
    expect(options.clickTrackingEnabled).toBe(false);
    const decision = decided(plain, undefined, macros);
    expect(decision.options).toEqual(scopes.match(plain).options);
    expect(decision.problems).toMatchInlineSnapshot(`
      [
        "context variable smtpapi_click_tracking ignored: it must be "1", "0", "true" or "false"",
        "context variable smtpapi_click_tracking_scheme ignored: it must be "http" or "https"",
        "context variable smtpapi_tracking_domain ignored: it must be a host name, with or without a port",
        "context variable smtpapi_tracking_link_expiry ignored: it must be a number of seconds from 1 to 2147483647",
        "context variable smtpapi_campaign_id ignored: it must be at most 64 bytes",
        "context variable smtpapi_metadata ignored: it must be a JSON object of at most max_metadata_len bytes",
        "context variable smtpapi_tags ignored: it must be a JSON array of strings",
      ]
    `);
  });
});

describe('the pathway', () => {
  test.each([
    ['context variable of a scope', { peer: '10.0.0.3' }, {}, 'news', 'context pathway'],
    ['macro pathway', { peer: '10.0.0.3' }, { pathway: 'alerts' }, 'alerts', 'macro pathway'],
    ['macro pathway nobody configured', plain, { pathway: 'new' }, 'new', 'macro pathway'],
    ['option', { peer: '10.0.0.4' }, {}, 'news', 'line 18'],
    ['facts', { peer: '10.0.0.4', pathway: 'alerts' }, {}, 'alerts', 'fact pathway'],
    ['nothing', plain, {}, undefined, 'default'],
  ])('by %s', (_, facts, macros, pathway, from) => {
    const decision = decided(facts, undefined, macros);
    expect(decision.match.pathway).toBe(pathway);
    expect(why(decision, 'pathway')).toBe(from);
  });

  test('is told with the line that names it, whatever the pathway itself sets', () => {
    const from = decided({ peer: '10.0.0.3' }).reasons().get('pathway')?.from;
    expect(from).toMatchObject({ kind: 'context', setting: { origin: { line: 17 } } });
  });

  test('named late brings its own options and context variables', () => {
    const decision = decided(withContext, undefined, { pathway: 'NEWS' });
    expect(decision.match.chain()[0]).toBe('pathway "news"');
    expect(decision.message.campaignId).toBe('news');
    expect(decision.options.trackingDomain).toBe('news.example');
  });
});

test('mail that brings nothing of its own costs nothing: one decision serves all of it', () => {
  const match = scopes.match(withContext);
  const once = () => decide(match, undefined, new Map(), limits);
  expect(once()).toBe(once());
});

describe('a tracking domain with {sender_domain}', () => {
  const template = configurationOf(`
ESMTP_Listener {
  click_tracking_enabled = on
  tracking_domain = "Click.{sender_domain}:8443"
  tracking_domains_allowed = ( "click.a.example:8443" "click.xn--bcher-kva.example:8443" )
  Peer "10.0.0.1" { context = [ smtpapi_tracking_domain = "context.example" ] }
}`).scopes;

  test.each([
    // the sender's domain, the tracking domain, or the one that is refused
    ['a.example', 'click.a.example:8443', undefined],
    ['A.Example', 'click.a.example:8443', undefined],
    ['a.example.', 'click.a.example:8443', undefined],
    ['bücher.example', 'click.xn--bcher-kva.example:8443', undefined],
    ['b.example', undefined, 'click.b.example:8443'],
    ['sub.a.example', undefined, 'click.sub.a.example:8443'],
    ['a.example:25/', undefined, 'click.{sender_domain}:8443'],
    ['a.example:8443', undefined, 'click.{sender_domain}:8443'],
    ['[192.0.2.1]', undefined, 'click.{sender_domain}:8443'],
    ['', undefined, 'click.{sender_domain}:8443'],
    [undefined, undefined, 'click.{sender_domain}:8443'],
  ])('%s', (sender, domain, refused) => {
    const decision = decide(template.match(plain), undefined, new Map(), limits, sender);
    expect(decision.refusedDomain).toBe(refused);
    const shown = domain ?? 'click.{sender_domain}:8443';
    expect(decision.options.trackingDomain).toBe(shown);
    expect(decision.reasons().get('tracking_domain')).toMatchObject({
      value: shown,
      from: { kind: 'configuration', setting: { origin: { line: 4 } } },
    });
  });

  test('gives way to a context variable, whoever sends', () => {
    const match = template.match(withContext);
    const decision = decide(match, undefined, new Map(), limits, 'b.example');
    expect(decision.options.trackingDomain).toBe('context.example');
    expect(decision.refusedDomain).toBeUndefined();
  });

  test('makes tracking domains of those that are allowed, and of no template', () => {
    expect([...template.trackingDomains]).toEqual([
      'localhost:8080',
      'click.a.example:8443',
      'click.xn--bcher-kva.example:8443',
      'context.example',
    ]);
    expect(template.trackingHosts.has('click.a.example')).toBe(true);
  });
});

test('the macros to ask the MTA for are pinned', () => {
  expect(contextVariableNames).toMatchInlineSnapshot(`
    [
      "smtpapi_click_tracking",
      "smtpapi_click_tracking_scheme",
      "smtpapi_tracking_domain",
      "smtpapi_tracking_link_expiry",
      "smtpapi_campaign_id",
      "smtpapi_metadata",
      "smtpapi_tags",
      "mo_customer_id",
      "pathway",
    ]
  `);
});
