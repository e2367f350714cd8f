import { clickFilter } from '../../src/filter/click-filter.ts';
import { linkLines } from '../../src/link/link-line.ts';
import type { IssuedLinks, LinkIssuer } from '../../src/link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { encodeInstance, encodeRecord } from '../../src/link/message-record.ts';
import { filterSettings } from '../../src/service/filter-settings.ts';
import { RecentByLinks } from '../../src/store/redis/recent-by-links.ts';
import { TemplateLearner } from '../../src/store/redis/template-learner.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { PlayedSession } from '../helpers/milter-session.ts';
import * as wire from '../helpers/milter-wire.ts';
import { exampleMessage } from '../link/example-message.ts';
import type { Load, Product } from './growth.ts';
import { sealed } from './sealed.ts';

/** What an MTA says of one message. */
interface Mail {
  readonly recipients?: readonly string[];
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly macros?: Readonly<Record<string, string>>;
}

/** Writes records as for Redis, and keeps none. */
const stored: LinkIssuer = {
  kind: 'stored',
  issue(message: MessageFacts): IssuedLinks {
    const links: TrackedLink[] = [];
    return {
      token: (link) => `3${'t'.repeat(22)}${links.push(link)}`,
      commit: async () => void encodeRecord({ message, secret: 's', links }),
    };
  },
};

const TRACKED = 'ESMTP_Listener { click_tracking_enabled = on }';
const SMTPAPI =
  'ESMTP_Listener { click_tracking_enabled = on accept_x_msys_api = any } smtpapi { }';

function packetsOf({ recipients = ['b@x.example'], headers = [], body = '', macros = {} }: Mail) {
  const packets = [wire.macros('M', macros), wire.mail()];
  for (const recipient of recipients) packets.push(wire.rcpt(`<${recipient}>`));
  for (const [name, value] of headers) packets.push(wire.header(name, value));
  packets.push(wire.eoh());
  for (let at = 0; at < body.length; at += 65_535) {
    packets.push(wire.body(body.slice(at, at + 65_535)));
  }
  return [...packets, wire.eob()];
}

/**
 * Messages in one session, from the bytes of the MTA to those of the answers.
 * @param read bytes that come in one read
 */
function session(
  mails: readonly Mail[],
  { conf = TRACKED, issuer = stored, read = 65_536 } = {},
): Load {
  const bytes = Buffer.concat([wire.optneg(), wire.connect(), ...mails.flatMap(packetsOf)]);
  const settings = filterSettings(configurationOf(conf));
  const run = async () => {
    const filter = clickFilter({
      issuer,
      sealed: sealed.issuer,
      counter: { sent: () => {} },
      optOuts: { hasAny: async () => false },
      settings: () => settings,
      onReport: () => {},
    });
    const limits = { headerCount: 1e9, headerBytes: 1e9, recipients: 1e9 };
    const played = new PlayedSession(filter, { limits });
    for (let at = 0; at < bytes.length; at += read) {
      await played.receive(Buffer.from(bytes.subarray(at, at + read))).settled();
    }
    return played.bytes.length;
  };
  return { bytes: bytes.length, run };
}

const list = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: Math.ceil(count) }, (_, index) => item(index));
const HTML = ['Content-Type', ' text/html'] as const;
const anchors = (count: number, target: (index: number) => string) =>
  list(count, (i) => `<a href="${target(i)}">x</a>\r\n`).join('');

/** Records of messages with these links, as they are written and learnt from. */
function records(
  messages: number,
  links: (message: number) => readonly TrackedLink[],
  write: (record: {
    message: MessageFacts;
    secret: string;
    links: readonly TrackedLink[];
  }) => number,
): Load {
  const all = list(messages, (i) => ({
    message: exampleMessage({ recipients: [`r${i}@x.example`] }),
    secret: 's',
    links: links(i),
  }));
  const bytes = all.reduce((sum, record) => sum + linkLines(record.links).length, 0);
  return { bytes, run: () => all.reduce((sum, record) => sum + write(record), 0) };
}

const link = (target: string): TrackedLink => ({ target, part: 'html' });
const shop = 'https://shop.example/';

/** Learns from each record as templates are learnt: the candidates with similar links are compared with it. */
function learn(load: (write: Parameters<typeof records>[2]) => Load): Load {
  const candidates = new RecentByLinks<TemplateLearner>(300);
  return load((record) => {
    const [recipient = ''] = record.message.recipients;
    const found = candidates.find(record.links, (one) => one.learn(record, recipient));
    const lines = linkLines(record.links);
    if (found === undefined) {
      candidates.add(record.links, new TemplateLearner(record.message, lines, recipient));
    }
    const template = found?.template(1, 1);
    return (template && encodeInstance(record, template)?.length) ?? lines.length;
  });
}

/** A mail from the MTA to the record of its links: each factor is a sender's or an MTA's. */
export const products: Readonly<Record<string, Product>> = {
  'messages × links': (n) =>
    session(
      list(n / 100, () => ({ headers: [HTML], body: anchors(n / 200, (i) => `${shop}${i}`) })),
    ),
  'messages × macros': (n) =>
    session(
      list(n / 100, (i) => ({
        macros: Object.fromEntries(list(n / 200, (at) => [`{m${i}_${at}}`, 'x'])),
      })),
    ),
  'headers × X-MSYS-API headers': (n) =>
    session(
      [
        {
          headers: [HTML, ...list(n / 2, (i) => [i % 2 ? 'X-MSYS-API' : `X-${i}`, ' '] as const)],
          body: anchors(10, (i) => `${shop}${i}`),
        },
      ],
      { conf: SMTPAPI },
    ),
  'recipients × excluded recipients': (n) =>
    session(
      [{ recipients: list(n, (i) => `r${i}@${'a.'.repeat(20)}x.example`), headers: [HTML] }],
      {
        conf: `ESMTP_Listener { click_tracking_enabled = on recipients = any
          exclude_recipients = ( ${list(n / 20, (i) => `"r${i}@y.example"`).join(' ')} ) }`,
      },
    ),
  'recipients × links': (n) =>
    session(
      [
        {
          recipients: list(n / 2, (i) => `r${i}@x.example`),
          headers: [HTML],
          body: anchors(n / 4, (i) => `${shop}${i}`),
        },
      ],
      { conf: 'ESMTP_Listener { click_tracking_enabled = on recipients = any }' },
    ),
  'labels of a recipient × excluded domains': (n) =>
    session([{ recipients: [`r@${'a.'.repeat(n)}x.example`], headers: [HTML] }], {
      conf: `ESMTP_Listener { click_tracking_enabled = on
          exclude_recipients = ( ${list(n / 20, (i) => `"d${i}.example"`).join(' ')} ) }`,
    }),
  'members × depth of X-MSYS-API': (n) =>
    session(
      [
        {
          headers: [
            HTML,
            [
              'X-MSYS-API',
              ` {${list(n / 4, (i) => `"m${i}":1`)},"metadata":${'{"a":'.repeat(n / 4)}1${'}'.repeat(n / 4)}}`,
            ],
          ],
          body: anchors(10, (i) => `${shop}${i}`),
        },
      ],
      { conf: SMTPAPI },
    ),
  'encoded words × X-MSYS-API': (n) =>
    session(
      ['=?utf-8?q?', '=?', '=?a?b?=', '=?utf-8?b?YQ==?= ', '\n '].map((piece) => ({
        headers: [['X-MSYS-API', ` ${piece.repeat(n / 4)}`]],
      })),
      { conf: SMTPAPI },
    ),
  'encoded words × From': (n) =>
    session([
      {
        headers: [HTML, ['From', ' =?utf-8?b?YQ==?= '.repeat(n / 4)]],
        body: anchors(10, (i) => `${shop}${i}`),
      },
    ]),
  'reads × one frame': (n) =>
    session([{ headers: list(n / 1000, (i) => [`X-${i}`, 'x'.repeat(1000)] as const) }], {
      read: 1,
    }),
  'reads × the body': (n) =>
    session([{ headers: [HTML], body: anchors(n / 20, (i) => `${shop}${i}`) }], { read: 10 }),
  'target × links, sealed': (n) =>
    session(
      [
        {
          headers: [HTML],
          body: `<base href="${shop}${'b'.repeat(n / 200)}/">${anchors(n / 4, (i) => `${i}`)}`,
        },
      ],
      { issuer: sealed.issuer },
    ),
  'target × links, stored': (n) =>
    session([
      {
        headers: [HTML],
        body: `<base href="${shop}${'b'.repeat(n / 10)}/">${anchors(n / 4, (i) => `${i}`)}`,
      },
    ]),
  'messages × links of a record': (n) =>
    records(
      n / 100,
      (i) => list(n / 100, (at) => link(`${shop}${i}/${at}`)),
      (record) => encodeRecord(record).length,
    ),
  'messages × template candidates': (n) =>
    learn((write) =>
      records(n / 20, (i) => list(20, (at) => link(`${shop}${at}/x?${i % 1000}`)), write),
    ),
  'messages × links of templates': (n) =>
    learn((write) =>
      records(n / 500, (i) => list(n / 50, (at) => link(`${shop}${at}?u=${i}`)), write),
    ),
  'links × what they begin with': (n) =>
    learn((write) =>
      records(
        8,
        (i) => list(n / 50, (at) => link(`${shop}${'x'.repeat(n / 50)}/${at + i}`)),
        write,
      ),
    ),
};
