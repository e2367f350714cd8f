import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tryMessage } from '../../src/commands/try-message.ts';
import type { MessageReport } from '../../src/filter/report.ts';
import { silent } from '../../src/lib/logger.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { followLink, tokensIn } from '../../src/redirect/follow-link.ts';
import { filterSettings } from '../../src/service/filter-settings.ts';
import { type Links, openLinks } from '../../src/service/links.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';

// Whatever a message holds, up to and beyond every limit: each link that is handed out leads to its target.

let redis: Redis;
let dir: string;
beforeAll(async () => {
  redis = await startRedis();
  dir = await mkdtemp(join(tmpdir(), 'clickmilter-issued-'));
});
afterAll(async () => {
  await redis.stop();
  await rm(dir, { recursive: true });
});

const configuration = (store: string) =>
  configurationOf(`
link_store = "${store}"
state_directory = "${dir}/${store}"
redis { url = "${redis.url}" }
smtpapi {}
ESMTP_Listener {
  click_tracking_enabled = on
  tracking_domain = "click.example.com"
  accept_x_msys_api = any
  Peer "127.0.0.1" { click_tracking_enabled = on }
}`);

/** A path whose length lies around what some part of the way takes. */
const path = fc.oneof(
  fc
    .constantFrom(0, 1, 90, 3_570, 3_600, 3_601, 8_160, 8_192, 8_193, 70_000)
    .chain((length) => fc.nat(40).map((more) => 'x'.repeat(Math.max(0, length - more)))),
  fc.webPath(),
  fc.constantFrom('?a=1&b=%2F#f', 'é', 'ж'.repeat(2_000), '~!$()*+,;=:@', '%zz%', '{x}'),
);
const href = fc.oneof(
  path.map((rest) => `https://shop.example/${rest}`),
  path.map((rest) => `http://user@shop.example:8080/${rest}`),
  path.map((rest) => rest),
  fc.constantFrom('https://例え.jp/é', '//other.example/x', 'HTTPS://SHOP.example'),
);
const name = fc.option(fc.string({ unit: 'grapheme', maxLength: 90 }), { nil: undefined });
const link = fc.record({ href, name, sublink: fc.option(fc.webPath(), { nil: undefined }) });
const mail = fc.record({
  base: fc.option(path, { nil: undefined, freq: 2 }),
  links: fc.array(link, { minLength: 1, maxLength: 90 }),
  repeat: fc.constantFrom(1, 1, 1, 2, 40),
  subject: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('s'.repeat(100_000))),
  metadata: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>, { maxKeys: 3 }),
  recipients: fc.constantFrom(1, 1, 2, 300, 40_000),
});

const quoted = (text: string) => text.replace(/[&"<\r\n]/g, (c) => `&#${c.charCodeAt(0)};`);

function written({
  base,
  links,
  repeat,
  subject,
  metadata,
}: typeof mail extends fc.Arbitrary<infer T> ? T : never) {
  const anchors = links.map(({ href, name, sublink }) =>
    [
      `<a href="${quoted(href)}"`,
      name === undefined ? '' : ` data-msys-linkname="${quoted(name)}"`,
      sublink === undefined ? '' : ` data-msys-sublink="${quoted(sublink)}"`,
      '>x</a>\r\n',
    ].join(''),
  );
  const fold = subject.replace(/[\r\n]/g, ' ');
  return Buffer.from(
    `From: a@shop.example\r\nSubject: ${fold}\r\n` +
      `X-MSYS-API: ${JSON.stringify({ metadata }).replace(/[\u007f-\uffff]/g, '?')}\r\n` +
      'MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n' +
      (base === undefined ? '' : `<base href="http://base.example/${quoted(base)}">\r\n`) +
      anchors.join('').repeat(repeat),
  );
}

const envelope = (recipients: number) => ({
  macro: () => undefined,
  facts: { peer: '127.0.0.1' },
  sender: 'bounce@shop.example',
  recipients: Array.from(
    { length: recipients },
    (_, n) => `${'r'.repeat(40)}${n}@customer.example`,
  ),
});

/** Follows each link that was handed out, and none that was left alone. */
async function follow(links: Links, { links: outcomes }: MessageReport) {
  let followed = 0;
  for (const { url, target, tracked } of outcomes) {
    expect(url !== undefined).toBe(tracked);
    if (url === undefined) continue;
    const { pathname, host } = new URL(url);
    const found = await followLink(
      { resolver: links.resolver, blocks: links.store.blocks, checkHost: true },
      tokensIn(pathname),
      host,
      Date.now(),
    );
    expect(found.kind).toBe('live');
    if (found.kind !== 'live') continue;
    expect(found.resolved.link.target).toBe(target);
    followed++;
  }
  return followed;
}

describe.each(['redis', 'sealed'])('with link_store = %s', (store) => {
  test('each link handed out leads to its target', { timeout: 300_000 }, async () => {
    const config = configuration(store);
    const links = await openLinks(config, silent, noMetrics);
    let followed = 0;
    let leftAlone = 0;
    try {
      await fc.assert(
        fc.asyncProperty(mail, async (sent) => {
          const { report } = await tryMessage(
            written(sent),
            filterSettings(config),
            links,
            envelope(sent.recipients),
          );
          followed += await follow(links, report);
          leftAlone += report.links.filter(({ tracked }) => !tracked).length;
        }),
        { numRuns: 60 },
      );
    } finally {
      await links.close();
    }
    expect(followed).toBeGreaterThan(500);
    expect(leftAlone).toBeGreaterThan(50);
  });
});

test('so do those of a newsletter whose copies share a template', {
  timeout: 120_000,
}, async () => {
  const config = configuration('redis');
  const links = await openLinks(config, silent, noMetrics);
  const keys = async (pattern: string) =>
    (await redis.cli('keys', pattern)).split('\n').filter(Boolean);
  const newsletter = (n: number) =>
    Buffer.from(
      'From: a@shop.example\r\nContent-Type: text/html\r\n\r\n' +
        Array.from(
          { length: 120 },
          (_, i) =>
            `<a href="https://shop.example/${i}/${'long/'.repeat(20)}?u=${i % 7 ? 0 : n}">x</a>\r\n`,
        ).join('') +
        `<a href="https://shop.example/${'only'.repeat(n > 6 && n % 3 === 0 ? 2_040 : 1)}">x</a>\r\n`,
    );
  try {
    for (let n = 1; n <= 12; n++) {
      const facts = { ...envelope(1), recipients: [`${n}@customer.example`] };
      const { report } = await tryMessage(newsletter(n), filterSettings(config), links, facts);
      expect(await follow(links, report)).toBe(121);
      if (n === 6) await poll('a template', async () => (await keys('clickmilter:s:*')).length > 0);
    }
  } finally {
    await links.close();
  }
});
