import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';

// A newsletter through the running service, and its click map, with and without Redis.

let redis: Redis | undefined;
let service: Service | undefined;
afterEach(async () => {
  await service?.stop();
  await redis?.stop();
  redis = undefined;
});

const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0' };

const newsletter = (name: string) =>
  Buffer.from(
    `Subject: Spring
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Dear ${name}, see https://shop.example/?for=${name}
--b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<div style=3D"display:none">Only for ${name}</div><p>Dear ${name},</p><p>Gr=C3=BC=C3=9Fe</p>
<a href=3D"https://shop.example/offers">Offers</a> <a href=3D"https://shop.example/=
account?for=3D${name}">Account</a>
--b--
`.replaceAll('\n', '\r\n'),
  );

const stores: Readonly<Record<string, () => Promise<string>>> = {
  async Redis() {
    redis = await startRedis();
    return `link_store = redis\nredis { url = "${redis.url}" }`;
  },
  files: async () => '',
};

/** Everything that is kept of previews, as text. */
async function kept(dir: string): Promise<string> {
  if (redis !== undefined) {
    const [key = ''] = (await redis.cli('keys', 'clickmilter:p:*')).split('\n');
    return inflated(
      Buffer.from(
        await redis.cli(
          '--raw',
          'eval',
          'local v = redis.call("GET", KEYS[1]) return (v:gsub(".", function(c) return string.format("%02x", c:byte()) end))',
          '1',
          key,
        ),
        'hex',
      ),
    );
  }
  const folder = join(dir, 'var/previews');
  const [file = ''] = readdirSync(folder);
  return inflated(readFileSync(join(folder, file)));
}

const inflated = (value: Buffer) => inflateRawSync(value.subarray(1)).toString();

test.each(Object.entries(stores))(
  'a newsletter becomes a click map, kept in %s',
  async (_, store) => {
    const port = await freePort();
    service = await startService(`${await store()}
events { automatic_within = 0 }
Web_Listener { Listen "127.0.0.1:${port}" { } }
ESMTP_Listener { click_tracking_enabled = on  preview = on  context = [ smtpapi_campaign_id = "spring" ] }`);
    const { httpPort, milterPort, dir } = service;
    const map = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/campaign/preview?campaign=spring`);
      return { status: answer.status, body: await answer.text() };
    };
    const client = await connectMilter({ port: milterPort });
    const send = async (name: string) => {
      const { message } = await client.send({
        sender: 'news@shop.example',
        recipients: [`${name}@x.example`],
        message: newsletter(name),
      });
      // A soft line break of quoted-printable may be anywhere.
      const text = message.toString().replaceAll('=\r\n', '');
      return [...text.matchAll(/http:\/\/localhost:8080\/[\w-]+/g)].map(([url]) => url);
    };
    const links = await send('Anna');
    expect(links).toHaveLength(3);
    await poll(
      'a preview',
      async () => {
        await send('Bartholomew');
        return (await map()).status === 200;
      },
      60_000,
    );
    await client.quit();

    expect((await follow(httpPort, links[1] ?? '', 'GET', BROWSER)).status).toBe(302);
    const { body } = await poll(
      'the click to be counted',
      async () => {
        const answer = await map();
        return answer.body.includes('>100%<') && answer;
      },
      60_000,
    );
    expect(body).toMatch(
      /<a [^>]*data-link="1"[^>]*><span class="badge heat-5"[^>]*>100%<\/span>Offers<\/a>/,
    );
    expect(body).toMatch(
      /<a [^>]*data-link="2"[^>]*><span class="badge heat-0"[^>]*>0%<\/span>Account<\/a>/,
    );
    expect(body).toContain('<p>Grüße</p>');
    const everything = body + (await kept(dir));
    expect(everything).toContain('Offers');
    expect(everything).not.toMatch(/Anna|Bartholomew|shop\.example|http:/);
    for (const url of links) expect(everything).not.toContain(new URL(url).pathname.slice(1));
  },
);
