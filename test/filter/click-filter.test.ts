import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ClickFilterOptions, clickFilter } from '../../src/filter/click-filter.ts';
import { MessageMemory } from '../../src/filter/message-memory.ts';
import type { FilterSettings } from '../../src/filter/options.ts';
import type { MessageReport } from '../../src/filter/report.ts';
import { type LinkIssuer, StoreUnavailable } from '../../src/link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { connectMilter, type MilterClient } from '../../src/milter/client.ts';
import type { Transaction } from '../../src/milter/client-transaction.ts';
import { createMilterServer, type MilterServer } from '../../src/milter/server.ts';
import { toUtf8 } from '../../src/milter/text.ts';
import { filterSettings } from '../../src/service/filter-settings.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { PlayedSession, type PlayOptions } from '../helpers/milter-session.ts';
import {
  connect,
  data,
  eob,
  eoh,
  header,
  mail,
  optneg,
  rcpt,
  body as wireBody,
} from '../helpers/milter-wire.ts';

/** Keeps what it is given, and can be away. */
class MemoryIssuer implements LinkIssuer {
  readonly kind;
  readonly saved: { message: MessageFacts; links: TrackedLink[] }[] = [];
  away = false;

  constructor(kind: 'stored' | 'sealed') {
    this.kind = kind;
  }

  issue(message: MessageFacts) {
    const links: TrackedLink[] = [];
    return {
      token: (link: TrackedLink) => `${this.kind}-${links.push(link)}`,
      commit: async () => {
        if (this.away) throw new StoreUnavailable('away');
        this.saved.push({ message, links });
      },
    };
  }
}

let settings: FilterSettings;
let stored: MemoryIssuer;
let sealed: MemoryIssuer;
let counted: unknown[];
let reports: MessageReport[];
let memory: MessageMemory;
let optedOut: (addresses: readonly string[]) => boolean;
let server: MilterServer;
let client: MilterClient;
let port: number;

beforeEach(async () => {
  stored = new MemoryIssuer('stored');
  sealed = new MemoryIssuer('sealed');
  counted = [];
  reports = [];
  memory = new MessageMemory(100_000);
  optedOut = () => false;
  settings = filterSettings(configurationOf(''));
  server = createMilterServer(clickFilter(parts()), {
    onEvent: (event) => expect.fail(JSON.stringify(event)),
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  if (address === null || typeof address === 'string') throw new Error('no port');
  ({ port } = address);
  client = await connectMilter({ port });
});

afterEach(async () => {
  await client.quit();
  await server.close({ deadline: 0 });
  // However its messages ended.
  expect(memory.held).toBe(0);
});

function parts(): ClickFilterOptions {
  return {
    issuer: stored,
    sealed,
    counter: { sent: (message) => counted.push(message) },
    optOuts: { hasAny: async (addresses) => optedOut(addresses) },
    memory,
    settings: () => settings,
    onReport: (report) => reports.push(report),
  };
}

const on = 'ESMTP_Listener { click_tracking_enabled = on }';
const body = 'See https://example.com/a and\r\nhttps://example.com/b\r\n';

function configure(text: string): void {
  settings = filterSettings(configurationOf(text));
}

function message(headers = '', text = body): Buffer {
  return Buffer.from(
    `From: a@example.com\r\n${headers}Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\n${text}`,
  );
}

function send(transaction: Partial<Transaction> = {}) {
  return client.send({ message: message(), ...transaction });
}

describe('whether a message is tracked', () => {
  test.each<{
    title: string;
    config: string;
    macros?: Transaction['macros'];
    sender?: string;
    recipients?: string[];
    headers?: string;
    stage: string;
    reason?: string;
  }>([
    { title: 'no scope says so', config: '', stage: 'data', reason: 'off' },
    { title: 'the scope says so', config: on, stage: 'endOfMessage' },
    {
      title: 'a context variable of the MTA switches it off',
      config: on,
      macros: { mail: { '{smtpapi_click_tracking}': '0' } },
      stage: 'data',
      reason: 'off',
    },
    {
      title: 'a context variable of the MTA switches it on',
      config: '',
      macros: { mail: { '{smtpapi_click_tracking}': '1' } },
      stage: 'endOfMessage',
    },
    {
      title: 'the pathway is the login',
      config: 'pathway "shop" { click_tracking_enabled = on }',
      macros: { mail: { '{auth_authen}': 'shop' } },
      stage: 'endOfMessage',
    },
    {
      title: 'another login',
      config: 'pathway "shop" { click_tracking_enabled = on }',
      macros: { mail: { '{auth_authen}': 'office' } },
      stage: 'data',
      reason: 'off',
    },
    {
      title: 'the pathway is the sender domain',
      config:
        'pathway "example.com" { click_tracking_enabled = on } macros { pathway = "{sender_domain}" }',
      sender: '<Bounce@Example.COM>',
      stage: 'endOfMessage',
    },
    {
      title: 'several recipients where one is wanted',
      config: 'ESMTP_Listener { click_tracking_enabled = on recipients = single }',
      recipients: ['<a@example.net>', '<b@example.net>'],
      stage: 'endOfHeaders',
      reason: 'several-recipients',
    },
    {
      title: 'one recipient named twice where one is wanted',
      config: 'ESMTP_Listener { click_tracking_enabled = on recipients = single }',
      recipients: ['<a@example.net>', '<a@example.net>'],
      stage: 'endOfMessage',
    },
    {
      title: 'an excluded recipient among others',
      config:
        'ESMTP_Listener { click_tracking_enabled = on exclude_recipients = ( "b@example.net" ) }',
      recipients: ['<a@example.net>', '<b@example.net>'],
      stage: 'endOfHeaders',
      reason: 'excluded-recipient',
    },
    {
      title: 'signed mail',
      config: on,
      headers: 'DKIM-Signature: v=1\r\n',
      stage: 'endOfHeaders',
      reason: 'dkim-signed',
    },
    {
      title: 'no links',
      config: on,
      headers: 'Content-Type: image/png\r\n',
      stage: 'endOfHeaders',
      reason: 'no-text-part',
    },
  ])('$title', async ({ config, macros, sender, recipients, headers, stage, reason }) => {
    configure(config);
    const result = await send({
      message: message(headers),
      ...(macros && { macros }),
      ...(sender && { sender }),
      ...(recipients && { recipients }),
    });
    expect(result).toMatchObject({ answer: 'accept', stage });
    expect(reports).toHaveLength(1);
    expect(reports[0]?.reason).toBe(reason);
    if (reason === undefined)
      expect(result.message.toString()).toContain('localhost:8080/stored-1');
    else expect(result.modifications).toEqual([]);
    if (stage === 'data') expect(result.bodySent).toBe(0);
  });
});

describe('answers to the MTA', () => {
  const [everything, nothing] = [0x1fffff, 0x7f];
  const over = [
    ['TCP', { unix: false }, everything, ['c', 'c'], ['a']],
    ['a unix socket', { unix: true }, everything, ['c'], ['a']],
    ['an MTA that waits for each', { unix: true }, nothing, Array(7).fill('c'), ['c', 'a']],
  ] as const;

  function play(options: PlayOptions, offered: number, filter = clickFilter(parts())) {
    const pieces = body.split(/(?<=\r\n)/);
    return new PlayedSession(filter, { ...options, onException: 'accept' }).send(
      ...[optneg(6, 0x1ff, offered), connect(), mail(), rcpt(), rcpt(), data()],
      ...[
        header('From', ' a@example.com'),
        eoh(),
        ...pieces.map((piece) => wireBody(piece)),
        eob(),
      ],
    );
  }
  const answers = ({ answers }: PlayedSession<unknown>) =>
    answers.slice(1).map((line) => line.slice(0, 1));

  test.each(over)('over %s, a message that is tracked', async (_, options, offered, before) => {
    configure(on);
    const played = await play(options, offered).settled();
    const pieces = offered === everything ? [] : ['c', 'c'];
    expect(answers(played)).toEqual([...before, ...pieces, 'b', 'a']);
    expect(reports).toMatchObject([{ verdict: 'tracked' }]);
    expect(stored.saved[0]?.message.recipients).toEqual(['b@example.net']);
  });

  test.each(over)('over %s, one that needs no body', async (_, options, offered, before) => {
    configure(
      'ESMTP_Listener { click_tracking_enabled = on exclude_recipients = ( "b@example.net" ) }',
    );
    const played = await play(options, offered).settled();
    expect(answers(played)).toEqual([...before.slice(1), 'a']);
    expect(reports).toMatchObject([{ reason: 'excluded-recipient' }]);
  });

  test.each(over)('over %s, one that is off at MAIL', async (_, options, offered, __, off) => {
    expect(answers(await play(options, offered).settled())).toEqual(off);
    expect(reports).toMatchObject([{ reason: 'off' }]);
  });

  test.each(over)(
    'over %s, one whose decision fails at MAIL',
    async (_, options, offered, __, off) => {
      let calls = 0;
      const failing = () => {
        if (++calls > 1) throw new Error('boom');
        return settings;
      };
      const filter = clickFilter({ ...parts(), settings: failing });
      const played = await play(options, offered, filter).settled();
      expect(answers(played)).toEqual(off);
      expect(played.events).toMatchObject([
        { type: 'exception', hook: 'mail', answered: 'accept' },
      ]);
    },
  );
});

test('the links lead to the tracking domain, and all else stays', async () => {
  configure(
    'ESMTP_Listener { click_tracking_enabled = on click_tracking_scheme = https tracking_domain = "Click.Example.com" }',
  );
  const result = await send({ macros: { endOfMessage: { i: '4F' } } });
  expect(result.message.toString()).toBe(
    message()
      .toString()
      .replace('https://example.com/a', 'https://click.example.com/stored-1')
      .replace('https://example.com/b', 'https://click.example.com/stored-2'),
  );
  expect(reports[0]).toMatchObject({ verdict: 'tracked', kind: 'stored', queueId: '4F' });
});

test.each([
  ['https://own.test/x', 'own-domain'],
  ['https://listen.test/x', 'own-domain'],
  ['https://PEER.test:8080/x', 'own-domain'],
  ['https://peer.test/x', undefined],
  ['https://secure.test/x', 'own-domain'],
  ['http://secure.test/x', undefined],
  ['https://context.test/x', 'own-domain'],
  ['https://pathway.test/x', 'own-domain'],
  ['https://group.test/x', 'own-domain'],
  ['http://localhost:8080/x', 'own-domain'],
  ['https://macro.test/x', undefined],
])('a link to %s, whichever scope may have made it: %s', async (link, reason) => {
  configure(`
    ESMTP_Listener { click_tracking_enabled = on tracking_domain = "own.test" }
    ESMTP_Listener "other" {
      Listen ":25" { tracking_domain = "listen.test" Peer "10.0.0.0/8" { tracking_domain = "Peer.test:8080" } }
      Peer "::1" { tracking_domain = "secure.test:443" }
      context = [ smtpapi_tracking_domain = "Context.test" ]
    }
    pathway_group "g" { tracking_domain = "group.test" pathway "p" { tracking_domain = "pathway.test" } }`);
  await send({ message: message('', `${link}\r\n`) });
  expect(reports[0]?.links).toMatchObject([{ target: link, tracked: reason === undefined }]);
  expect(reports[0]?.links[0]?.reason).toBe(reason);
});

test('a link to the domain that the MTA alone knows of is not tracked either', async () => {
  configure(on);
  await send({
    message: message('', 'https://macro.test/x\r\n'),
    macros: { mail: { '{smtpapi_tracking_domain}': 'macro.test' } },
  });
  expect(reports[0]?.links).toMatchObject([{ reason: 'own-domain' }]);
});

test('what a click will report is saved with the links', async () => {
  configure(`${on} pathway "p" {}`);
  await send({
    sender: '<bounce@example.com>',
    recipients: ['<Ada@Example.NET>', '<Ada@Example.NET>'],
    macros: {
      mail: { '{auth_authen}': 'p', '{smtpapi_campaign_id}': 'autumn', '{mo_customer_id}': '17' },
    },
  });
  const [{ message: facts, links } = expect.fail()] = stored.saved;
  expect(facts).toMatchObject({
    messageId: expect.stringMatching(/^[\w-]{16}$/),
    sender: 'bounce@example.com',
    recipients: ['Ada@Example.NET'],
    friendlyFrom: 'a@example.com',
    subject: 'Grüße',
    campaignId: 'autumn',
    customerId: '17',
    pathway: 'p',
    domain: 'localhost:8080',
    size: message().length - 2,
  });
  expect(facts.expires - facts.injectionTime).toBe(31_536_000);
  expect(Math.abs(facts.injectionTime - Date.now() / 1000)).toBeLessThan(60);
  expect(links).toEqual([
    { target: 'https://example.com/a', part: 'text' },
    { target: 'https://example.com/b', part: 'text' },
  ]);
  expect(counted).toEqual([
    {
      time: 1000 * facts.injectionTime,
      campaign: 'autumn',
      pathway: 'p',
      recipientDomain: 'example.net',
      links: 2,
    },
  ]);
});

test.each([
  ['<1.2@mail.example>', '<1.2@mail.example>'],
  ['\r\n <1.2@mail.example>', '<1.2@mail.example>'],
  ['<1.2@mail.example> (added by a gateway)', '<1.2@mail.example>'],
  [`<${'x'.repeat(250)}>`, `<${'x'.repeat(250)}>`],
  [`<${'x'.repeat(251)}>`, undefined],
  ['<1 2@mail.example>', undefined],
  ['<1@mail.example><2@mail.example>', undefined],
  ['1.2@mail.example', undefined],
  ['', undefined],
])('the Message-ID %j is reported as %j', async (value, reported) => {
  configure(on);
  await send({ message: message(`Message-ID: ${value}\r\n`) });
  expect(stored.saved).toMatchObject([{ message: { rfc822MessageId: reported } }]);
});

test('addresses and macros are UTF-8 (SMTPUTF8)', async () => {
  configure(`${on} pathway "jürgen" {}`);
  await send({
    sender: toUtf8('<jürgen@example.com>'),
    recipients: [toUtf8('<用户@例え.jp>')],
    macros: { mail: { '{auth_authen}': toUtf8('jürgen') } },
  });
  expect(stored.saved[0]?.message).toMatchObject({
    sender: 'jürgen@example.com',
    recipients: ['用户@例え.jp'],
    pathway: 'jürgen',
  });
});

describe('a message over a limit of Milter_Listener', () => {
  const limits =
    'Milter_Listener { max_header_count = 10 max_header_size = 1K max_recipients = 3 }';
  const believing = `smtpapi { } ${limits}
    ESMTP_Listener { accept_x_msys_api = any accept_headers = sendgrid click_tracking_enabled = on }`;
  const honoured = 'X-MSYS-API: {"metadata":{"a":"b"}}\r\nX-SMTPAPI: {}\r\n';
  const fields = 'X-Field: x\r\n'.repeat(10);
  const recipients = ['<a@b>', '<c@d>', '<e@f>', '<g@h>'];

  test.each<[limit: string, sent: (honoured: string) => Partial<Transaction>]>([
    ['max_header_count', (first) => ({ message: message(first + fields) })],
    ['max_header_count', (last) => ({ message: message(fields + last) })],
    ['max_header_size', (first) => ({ message: message(`${first}X: ${'x'.repeat(1024)}\r\n`) })],
    ['max_header_size', (last) => ({ message: message(`X: ${'x'.repeat(1024)}\r\n${last}`) })],
    ['max_recipients', (first) => ({ message: message(first), recipients })],
  ])('%s: passes untracked, without the headers that are honoured', async (limit, sent) => {
    configure(believing);
    const result = await send(sent(honoured));
    expect(result.answer).toBe('accept');
    expect(result.message).toEqual(sent('').message);
    expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'over-limit', links: [] }]);
    expect(reports[0]?.problems).toEqual([expect.stringContaining(limit)]);
    expect(memory.held).toBe(0);
    configure(`smtpapi { } ${limits} ${on}`);
    expect(await send(sent(honoured))).toMatchObject({ answer: 'accept', modifications: [] });
    expect(reports).toHaveLength(2);
  });

  test('the next one is tracked', async () => {
    configure(believing);
    await send({ recipients });
    await send();
    expect(reports.map(({ verdict }) => verdict)).toEqual(['untouched', 'tracked']);
  });
});

test.each<[reason: string, config: string, headers: string, sent?: Partial<Transaction>]>([
  ['off', '', ''],
  ['null-sender', on, '', { sender: '<>' }],
  [
    'several-recipients',
    `${on} ESMTP_Listener { recipients = single }`,
    '',
    { recipients: ['<a@b>', '<c@d>'] },
  ],
  [
    'excluded-recipient',
    `${on} ESMTP_Listener { exclude_recipients = "b" }`,
    '',
    { recipients: ['<a@b>'] },
  ],
  ['dkim-signed', on, 'DKIM-Signature: v=1\r\n'],
  ['encrypted', on, 'Content-Type: multipart/encrypted; boundary=b\r\n'],
  ['report', on, 'Content-Type: multipart/report; boundary=b\r\n'],
  ['no-text-part', on, 'Content-Type: image/png\r\n'],
  ['unknown-encoding', on, 'Content-Transfer-Encoding: x-uuencode\r\n'],
  ['no-links', on, '', {}],
  ['store-unavailable', on, ''],
])(
  'a message left alone (%s) loses the headers that are honoured',
  async (reason, config, headers, sent) => {
    configure(`smtpapi { } ${config} ESMTP_Listener { accept_x_msys_api = any }`);
    stored.away = reason === 'store-unavailable';
    const text = reason === 'no-links' ? 'none\r\n' : body;
    const result = await send({ message: message(`${headers}X-MSYS-API: {}\r\n`, text), ...sent });
    expect(result.message).toEqual(message(headers, text));
    expect(reports).toMatchObject([{ verdict: 'untouched', reason }]);
  },
);

test.each(['<>', ''])('mail of the null sender (%s) is left alone', async (sender) => {
  configure(on);
  expect(await send({ sender })).toMatchObject({ answer: 'accept', modifications: [] });
  expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'null-sender' }]);
});

describe('messages that find no memory', () => {
  const padded = (bytes: number) => message('', body + 'x\r\n'.repeat(bytes / 3));

  /** Settles once the store is asked to save, with what lets it answer. */
  const saving = () =>
    new Promise<() => void>((asked) => {
      const commit = () => new Promise<void>((answer) => asked(answer));
      vi.spyOn(stored, 'issue').mockReturnValueOnce({ token: () => 'token', commit });
    });

  test.each<[what: string, sent: Partial<Transaction>]>([
    ['the body', { message: padded(99_000) }],
    ['the new body beside the old one', { message: padded(51_000) }],
    ['header fields', { message: message(`X-Field: ${'x'.repeat(50_000)}\r\n`.repeat(2)) }],
  ])('pass untouched where %s are too much', async (_, sent) => {
    configure(on);
    expect(await send(sent)).toMatchObject({ answer: 'accept', modifications: [] });
    expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'memory' }]);
    expect(stored.saved).toEqual([]);
    expect(memory.held).toBe(0);
    // There is room again.
    expect(await send({ message: padded(45_000) })).toMatchObject({ answer: 'accept' });
    expect(reports[1]).toMatchObject({ verdict: 'tracked' });
  });

  test.each([
    ['before X-MSYS-API', (big: string) => `${big}X-MSYS-API: {}\r\n`, body],
    ['behind X-MSYS-API', (big: string) => `X-MSYS-API: {}\r\n${big}`, body],
    ['in the body', () => 'X-MSYS-API: {}\r\n', 'x'.repeat(101_000)],
  ])('lose a believed header nevertheless: %s', async (_, headers, text) => {
    configure(
      `smtpapi { }  ESMTP_Listener { accept_x_msys_api = any  click_tracking_enabled = on }`,
    );
    const big = `X-Field: ${'x'.repeat(50_000)}\r\n`.repeat(2);
    const sent = await send({ message: message(headers(big), text) });
    expect(sent.answer).toBe('accept');
    expect(sent.message.toString()).not.toContain('X-MSYS-API');
    expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'memory' }]);
    expect(memory.held).toBe(0);
  });

  test('are new ones, while others hold it', async () => {
    configure(on);
    const saved = saving();
    const first = send({ message: padded(45_000) });
    const save = await saved;
    const other = await connectMilter({ port });
    const second = await other.send({ message: padded(15_000) });
    expect(second).toMatchObject({ answer: 'accept', modifications: [] });
    await other.quit();
    save();
    expect((await first).modifications).toHaveLength(1);
    expect(reports.map(({ verdict, reason }) => reason ?? verdict)).toEqual(['memory', 'tracked']);
  });

  test('give it back when the MTA goes away in the middle', async () => {
    configure(on);
    const saved = saving();
    const sent = send({ message: padded(45_000) });
    const save = await saved;
    expect(memory.held).toBeGreaterThan(90_000);
    client.destroy();
    await expect(sent).rejects.toThrow();
    save();
    await vi.waitUntil(() => memory.held === 0);
    client = await connectMilter({ port });
  });
});

test.each([
  ['the body', 0x10],
  ['headers', 0x02],
])(
  'an MTA that lets nobody change %s gets the message back, and no link is stored',
  async (_, actions) => {
    configure(on);
    await client.quit();
    client = await connectMilter({ port }, { offer: { actions } });
    expect(await send()).toMatchObject({ answer: 'accept', modifications: [] });
    expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'not-granted' }]);
    expect(stored.saved).toEqual([]);
  },
);

test('an MTA that lets the milter change headers only has those removed that are honoured', async () => {
  configure(`smtpapi { } ESMTP_Listener { click_tracking_enabled = on accept_x_msys_api = any }`);
  await client.quit();
  client = await connectMilter({ port }, { offer: { actions: 0x10 } });
  const { message: result } = await send({ message: message('X-MSYS-API: {}\r\n') });
  expect(result).toEqual(message());
  expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'not-granted' }]);
});

describe('when the store is away', () => {
  test('accept: the message goes out untouched', async () => {
    configure(on);
    stored.away = true;
    const result = await send();
    expect(result).toMatchObject({ answer: 'accept', modifications: [] });
    expect(reports).toMatchObject([
      {
        verdict: 'untouched',
        reason: 'store-unavailable',
        links: [{ tracked: false }, { tracked: false }],
      },
    ]);
    expect(reports[0]?.links[0]).not.toHaveProperty('url');
    expect(counted).toEqual([]);
  });

  test('tempfail: the message is to come again', async () => {
    configure('ESMTP_Listener { click_tracking_enabled = on on_failure = tempfail }');
    stored.away = true;
    const result = await send();
    expect(result.answer).toMatchObject({ code: 451, enhancedCode: '4.3.0' });
    expect(result.modifications).toEqual([]);
    expect(reports).toMatchObject([{ verdict: 'tempfailed', reason: 'store-unavailable' }]);
  });

  test('a message with nothing to track does not wait for it', async () => {
    configure('ESMTP_Listener { click_tracking_enabled = on on_failure = tempfail }');
    stored.away = true;
    // No room in the 998 bytes of a line for anything longer.
    const result = await send({ message: message('', `${'x'.repeat(980)} https://a.io\r\n`) });
    expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'nothing-to-track' }]);
    expect(result).toMatchObject({ answer: 'accept', modifications: [] });
  });

  test('seal: the links are sealed', async () => {
    configure('ESMTP_Listener { click_tracking_enabled = on on_failure = seal }');
    stored.away = true;
    const result = await send();
    expect(result.message.toString()).toContain('http://localhost:8080/sealed-2');
    expect(sealed.saved).toHaveLength(1);
    expect(reports).toMatchObject([{ verdict: 'tracked', kind: 'sealed' }]);
  });
});

describe('opt-outs', () => {
  test('a message to a recipient who opted out is left alone', async () => {
    configure(on);
    optedOut = (addresses) => addresses.includes('b@example.net');
    const result = await send({ recipients: ['<a@example.net>', '<b@example.net>'] });
    expect(result).toMatchObject({ answer: 'accept', modifications: [] });
    expect(stored.saved).toEqual([]);
    expect(counted).toEqual([]);
    expect(reports).toMatchObject([
      { reason: 'recipient-opted-out', links: [{ tracked: false }, {}] },
    ]);
    await send({ recipients: ['<a@example.net>'] });
    expect(reports[1]).toMatchObject({ verdict: 'tracked' });
  });

  test.each(['accept', 'seal', 'tempfail'])(
    'not known, on_failure = %s: nothing is tracked',
    async (onFailure) => {
      configure(`ESMTP_Listener { click_tracking_enabled = on on_failure = ${onFailure} }`);
      optedOut = () => {
        throw new StoreUnavailable('away');
      };
      const result = await send();
      expect(result.modifications).toEqual([]);
      expect([...stored.saved, ...sealed.saved]).toEqual([]);
      const verdict = onFailure === 'tempfail' ? 'tempfailed' : 'untouched';
      expect(reports).toMatchObject([{ verdict, reason: 'store-unavailable' }]);
    },
  );

  test('they are asked once, and not where nothing is tracked anyway', async () => {
    const asked: string[][] = [];
    optedOut = (addresses) => {
      asked.push([...addresses]);
      return false;
    };
    configure('');
    await send();
    configure(on);
    await send({ sender: '<>' });
    expect(asked).toEqual([]);
    await send({ recipients: ['<a@example.net>', '<a@example.net>', '<c@example.net>'] });
    expect(asked).toEqual([['a@example.net', 'c@example.net']]);
  });
});

test('dry_run works everything out and changes nothing', async () => {
  configure('ESMTP_Listener { click_tracking_enabled = on dry_run = on } smtpapi {}');
  const result = await send({
    message: message('X-MSYS-API: {}\r\n'),
    macros: { mail: { '{auth_authen}': 'me' } },
  });
  expect(result.modifications).toEqual([]);
  expect(stored.saved).toEqual([]);
  expect(reports).toMatchObject([{ verdict: 'dry-run', links: [{ tracked: true }, {}] }]);
});

test('dry_run defers no mail while opt-outs are not known', async () => {
  configure('ESMTP_Listener { click_tracking_enabled = on dry_run = on on_failure = tempfail }');
  optedOut = () => {
    throw new StoreUnavailable('away');
  };
  expect(await send()).toMatchObject({ answer: 'accept', modifications: [] });
  expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'store-unavailable' }]);
});

describe('X-MSYS-API', () => {
  const authenticated = { mail: { '{auth_authen}': 'me', '{auth_type}': 'PLAIN' } };
  const header = (json: string) => message(`X-MSYS-API: ${json}\r\n`);
  const deletes = [{ type: 'changeHeader', name: 'x-msys-api', index: 1, value: '' }];

  test('switches tracking on, and does not go out', async () => {
    configure('smtpapi {}');
    const result = await send({
      message: header('{"options":{"click_tracking":true},"campaign_id":"c","tags":["t"]}'),
      macros: authenticated,
    });
    expect(result.message.toString()).toContain('localhost:8080/stored-1');
    expect(result.message.toString()).not.toMatch(/x-msys-api/i);
    expect(stored.saved[0]?.message).toMatchObject({ campaignId: 'c', tags: ['t'] });
  });

  test('switches tracking off, and does not go out; the body is not needed', async () => {
    configure(`${on} smtpapi {}`);
    const result = await send({
      message: header('{"options":{"click_tracking":false}}'),
      macros: authenticated,
    });
    expect(result.modifications).toEqual(deletes);
    expect(reports).toMatchObject([{ reason: 'off' }]);
  });

  test('does not go out where tracking is off anyway', async () => {
    configure('smtpapi {}');
    const result = await send({ message: header('{}'), macros: authenticated });
    expect(result.modifications).toEqual(deletes);
  });

  test('every one of several is removed', async () => {
    configure('smtpapi {}');
    const result = await send({
      message: message('X-MSYS-API: {}\r\nx-msys-api: {}\r\n'),
      macros: authenticated,
    });
    expect(result.message.toString()).not.toMatch(/x-msys-api/i);
  });

  test('an invalid one is rejected with Momentum’s words', async () => {
    configure('smtpapi {}');
    const result = await send({ message: header('{"metadata":[]}'), macros: authenticated });
    expect(result.answer).toMatchObject({
      code: 550,
      enhancedCode: '5.6.0',
      lines: ["X-MSYS-API 'metadata' must be of type 'json object'"],
    });
    expect(reports).toMatchObject([
      {
        verdict: 'rejected',
        reply: "550 5.6.0 X-MSYS-API 'metadata' must be of type 'json object'",
      },
    ]);
  });

  test('of a stranger is ignored and stays', async () => {
    configure(`${on} smtpapi {}`);
    const result = await send({ message: header('{"options":{"click_tracking":false}}') });
    expect(result.message.toString()).toContain('X-MSYS-API: {"options"');
    expect(reports).toMatchObject([{ verdict: 'tracked' }]);
  });

  test('without the stanza is ignored and stays', async () => {
    configure(on);
    const result = await send({ message: header('no json'), macros: authenticated });
    expect(result.message.toString()).toContain('X-MSYS-API: no json');
    expect(reports).toMatchObject([{ verdict: 'tracked' }]);
  });

  test('metadata stays out of the record where the operator says so', async () => {
    configure(`${on} smtpapi {} engagement_tracker { click_tracking_include_metadata = false }`);
    await send({ message: header('{"metadata":{"a":1}}'), macros: authenticated });
    expect(stored.saved).toMatchObject([{ message: { metadata: undefined } }]);
  });
});

describe('headers of other vendors', () => {
  const login = { mail: { '{auth_authen}': 'me' } };
  const fields = [
    'X-Mailgun-Tag: one',
    'X-PM-TrackLinks: HtmlAndText',
    'x-mailgun-tag: two',
    'X-Mailgun-Dkim: yes',
    'X-Mailer: x',
  ];
  const sent = message(fields.map((field) => `${field}\r\n`).join(''));
  const accept = (...names: string[]) =>
    configure(`ESMTP_Listener { accept_headers = ( ${names.join(' ')} ) }`);

  test('switch tracking on, and do not go out; others of the same vendor are named, and stay', async () => {
    accept('mailgun', 'postmark');
    const text = (await send({ message: sent, macros: login })).message.toString();
    expect(text).toContain('localhost:8080/stored-1');
    expect(text.match(/^x-.*/gim)).toEqual(['X-Mailgun-Dkim: yes', 'X-Mailer: x']);
    expect(stored.saved[0]?.message).toMatchObject({ tags: ['one', 'two'] });
    expect(reports).toMatchObject([{ verdict: 'tracked', notDone: ['X-Mailgun-Dkim'] }]);
  });

  test.each([
    ['of another vendor', ['mailgun'], login],
    ['of a stranger', ['mailgun', 'postmark'], {}],
    ['by default', [], login],
  ])('%s do not count, and stay', async (_name, names, macros) => {
    if (names.length > 0) accept(...names);
    const { message } = await send({ message: sent, macros });
    expect(message.toString()).toContain('X-PM-TrackLinks: HtmlAndText');
    expect(reports).toMatchObject([{ verdict: 'untouched', reason: 'off' }]);
  });

  test('of any sender, where X-MSYS-API would be', async () => {
    configure('ESMTP_Listener { accept_headers = postmark accept_x_msys_api = any }');
    await send({ message: sent });
    expect(reports).toMatchObject([{ verdict: 'tracked' }]);
  });

  test('X-MSYS-API goes before them, a context variable before both', async () => {
    configure(`smtpapi {} ESMTP_Listener { accept_headers = ( postmark mailgun ) }`);
    const both = message(
      'X-MSYS-API: {"options":{"click_tracking":false},"tags":["t"]}\r\nX-PM-TrackLinks: HtmlOnly\r\nX-PM-Tag: p\r\n',
    );
    const result = await send({ message: both, macros: login });
    expect(result.message.toString()).not.toMatch(/^x-/im);
    expect(reports).toMatchObject([{ reason: 'off' }]);
    const macros = { mail: { ...login.mail, '{smtpapi_click_tracking}': '1' } };
    const withHtml = Buffer.from(
      both
        .toString()
        .replace('Subject', 'Content-Type: text/html\r\nSubject')
        .replace(/See.*/s, '<a href="https://a.example/">x</a>'),
    );
    await send({ message: withHtml, macros });
    expect(stored.saved[0]?.message.tags).toEqual(['t']);
  });

  test('only HTML: the text stays as it was', async () => {
    accept('mailgun');
    const text = message('X-Mailgun-Track-Clicks: htmlonly\r\n');
    await send({ message: text, macros: login });
    expect(reports[0]?.links.map(({ reason }) => reason)).toEqual([
      'untracked-part',
      'untracked-part',
    ]);
  });
});

test.each([
  ['', 0],
  ['macros { long_names = on }', 2],
])('%s: names too long for Sendmail are asked for only where one says so', (config, count) => {
  configure(config);
  const { macros } = clickFilter({
    issuer: stored,
    sealed,
    counter: { sent() {} },
    optOuts: { hasAny: async () => false },
    settings: () => settings,
    onReport() {},
  });
  const long = macros?.mail?.filter((name) => name.length > '{}'.length + 25);
  expect(long).toHaveLength(count);
});

test('a new configuration counts from the next message on, on the same connection', async () => {
  expect(await send()).toMatchObject({ stage: 'data' });
  configure(on);
  expect(await send()).toMatchObject({ stage: 'endOfMessage' });
});
