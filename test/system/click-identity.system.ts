import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OpenRecord } from '../../src/link/message-record.ts';
import { parseSealKeys } from '../../src/link/seal-keys.ts';
import { openToken } from '../../src/link/sealed-token.ts';
import { isStoredToken } from '../../src/link/stored-token.ts';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

// What the real service keeps of a recipient and a reader: everything that is written anywhere is searched.

const DOMAIN = 'click.test';
/** What a message and its clicks say of the recipient and the reader: none of it is in a target. */
const PERSONAL = [
  'grace',
  'reader.example',
  'Dear Ms Hopper',
  'cobol',
  'vip-tag',
  '4QueueId4711',
  '1906@sender.example',
  '203.0.113',
  'SomeBrowser',
  'en-NAVY',
];

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

describe.each(['redis', 'sealed'])('link_store = %s', (linkStore) => {
  let service: Service;
  const urls: Record<string, string[]> = {};

  beforeAll(async () => {
    const scopes = ['recipient', 'domain', 'none'].map(
      (identity) => `pathway "${identity}" { click_identity = ${identity} }`,
    );
    service = await startService(`
      link_store = ${linkStore}
      redis { url = "${redis.url}" key_prefix = "${linkStore}:" }
      events { automatic_within = 0 }
      smtpapi { }
      HTTP_Listener { trusted_proxies = ( "127.0.0.1" ) respect_gpc = on }
      ESMTP_Listener { click_tracking_enabled = on tracking_domain = "${DOMAIN}" accept_x_msys_api = any }
      ${scopes.join('\n')}`);
  });
  afterAll(() => service?.stop());

  async function send(pathway: string): Promise<string[]> {
    const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
    const outcome = await client.send({
      sender: '<bounce+grace=reader.example@sender.example>',
      recipients: ['<Grace.Hopper@reader.example>'],
      macros: { mail: { '{pathway}': pathway }, endOfMessage: { i: '4QueueId4711' } },
      message: Buffer.from(
        [
          'From: News <news@sender.example>',
          'Subject: Dear Ms Hopper',
          'Message-ID: <1906@sender.example>',
          'X-MSYS-API: {"campaign_id":"spring","metadata":{"likes":"cobol"},"tags":["vip-tag"]}',
          'Content-Type: text/html',
          '',
          '<a href="https://shop.example/1">x</a> <a href="https://shop.example/2">x</a>',
          '',
        ].join('\r\n'),
      ),
    });
    await client.quit();
    return [...outcome.message.toString().matchAll(/href="(http:\/\/click.*?)"/g)].map(
      ([, url = '']) => url,
    );
  }

  const click = (url: string, headers = {}) =>
    follow(service.httpPort, url, 'GET', {
      'user-agent': 'SomeBrowser',
      'accept-language': 'en-NAVY',
      'x-forwarded-for': '203.0.113.77',
      ...headers,
    });

  /** Everything that is kept, with records and tokens in plain text. */
  async function everything(): Promise<string> {
    const kept = [service.output()];
    const files = readdirSync(join(service.dir, 'var'), { recursive: true, withFileTypes: true });
    for (const file of files.filter((one) => one.isFile() && one.name !== 'keys')) {
      kept.push(readFileSync(join(file.parentPath, file.name), 'utf8'));
    }
    const keys = parseSealKeys(readFileSync(join(service.dir, 'var/keys'), 'utf8'), 'keys');
    for (const token of Object.values(urls)
      .flat()
      .map((url) => new URL(url).pathname.slice(1))) {
      if (isStoredToken(token)) continue;
      const opened = openToken(keys, token, [DOMAIN]);
      expect(opened).toBeDefined();
      kept.push(JSON.stringify(opened));
    }
    const client = new Client(redis.url);
    for (const key of await client.keys(`${linkStore}:*`)) {
      const type = await client.type(key);
      if (key.startsWith(`${linkStore}:m:`)) {
        const value = await client.getBuffer(key);
        if (value) kept.push(JSON.stringify(new OpenRecord(value, 'id').contents()));
      } else if (type === 'string') kept.push((await client.getBuffer(key))?.toString() ?? '');
      else if (type === 'hash') kept.push(JSON.stringify(await client.hgetall(key)));
      else if (type === 'list') kept.push(JSON.stringify(await client.lrange(key, 0, -1)));
      else if (type === 'stream') kept.push(JSON.stringify(await client.xrange(key, '-', '+')));
      else throw new Error(`a ${type} at ${key}`);
      kept.push(key);
    }
    client.disconnect();
    return kept.join('\n');
  }

  const found = (text: string) =>
    PERSONAL.filter((word) => text.toLowerCase().includes(word.toLowerCase()));
  const clicksCounted = async (): Promise<number> => {
    const args = ['--config', service.configFile, 'report', '--json'];
    return JSON.parse((await runCli(args)).stdout.toString()).total.count_clicked;
  };

  test('none: nothing personal anywhere, and the click is counted', async () => {
    urls['none'] = await send('none');
    expect(urls['none']).toHaveLength(2);
    for (const url of urls['none']) expect(await click(url)).toMatchObject({ status: 302 });
    await poll('the counts', async () => (await clicksCounted()) === 2);
    const all = await everything();
    expect(all).toContain(
      '"click_identity":"none"'.replaceAll('"', linkStore === 'redis' ? '\\"' : '"'),
    );
    // The MTA's queue id is how an operator finds the log line of a message.
    expect(found(all)).toEqual(['4QueueId4711']);
    const lines = service
      .output()
      .split('\n')
      .filter((line) => line.includes('4QueueId4711'));
    const ids = service
      .log()
      .flatMap(({ msg, messageId }) => (msg === 'link followed' ? [messageId] : []));
    expect(ids).toHaveLength(2);
    for (const id of ids) expect(lines.join()).not.toContain(id);
  });

  test('domain: only the domain, and the network of the reader', async () => {
    urls['domain'] = await send('domain');
    expect(await click(urls['domain']?.[0] ?? '')).toMatchObject({ status: 302 });
    await poll('the counts', async () => (await clicksCounted()) === 3);
    const all = await everything();
    expect(found(all)).toEqual([
      'reader.example',
      '4QueueId4711',
      '203.0.113',
      'SomeBrowser',
      'en-NAVY',
    ]);
    expect(all).not.toContain('203.0.113.77');
  });

  test('a reader who asks not to be tracked is counted, and not attributed', async () => {
    urls['recipient'] = await send('recipient');
    const [url = ''] = urls['recipient'];
    expect(await click(url, { 'sec-gpc': '1' })).toMatchObject({ status: 302 });
    await poll('the counts', async () => (await clicksCounted()) === 4);
    const { stdout } = await runCli(['--config', service.configFile, 'events']);
    expect(found(stdout.toString().trim().split('\n').at(-1) ?? '')).toEqual([]);
    const line = service.log().findLast(({ msg }) => msg === 'link followed');
    expect(line).toMatchObject({ status: 302, campaignId: 'spring' });
    expect(line).not.toHaveProperty('messageId');
    const shown = await runCli(['--config', service.configFile, 'link', url, '--json']);
    expect(JSON.parse(shown.stdout.toString())).toMatchObject({
      clicks: 0,
      target: 'https://shop.example/1',
    });
  });
});
