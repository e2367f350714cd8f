import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Service, startService } from '../helpers/service.ts';

let service: Service;
afterEach(() => service?.stop());

const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

test('a reload reads the files of networks again; with a mistake in one the old ones stay in use', async () => {
  service = await startService(`
    workers = 2
    events { automatic_networks = ( "203.0.113.0/24" ) }
    HTTP_Listener { trusted_proxies = ( "127.0.0.1" ) }
    ESMTP_Listener { click_tracking_enabled = on }`);
  const mail = await connectMilter({ port: service.milterPort });
  const targets = Array.from({ length: 6 }, (_, at) => `https://example.com/${at}`);
  const message = Buffer.from(`Subject: x\r\n\r\n${targets.join('\r\n')}\r\n`);
  const urls = (await mail.send({ message })).message.toString().match(/http:\/\/\S+/g) ?? [];
  await mail.quit();
  /**
   * What is said of six clicks of a client, by whichever workers record them. Each client has a link
   * of its own: twenty clicks on one within a second would be a flood.
   */
  const judge = async (client: string) => {
    const url = urls.pop() ?? '';
    const headers = { 'user-agent': BROWSER, 'x-forwarded-for': client, connection: 'close' };
    for (let n = 0; n < 6; n++) await follow(service.httpPort, url, 'GET', headers);
    const own = await poll('the clicks', () => {
      const all = service.journal().map(({ msys }) => msys.track_event);
      const found = all.filter(({ ip_address }) => ip_address === client);
      return found.length === 6 && found;
    });
    return [...new Set(own.map(({ is_automatic }) => is_automatic))];
  };
  const reload = async (said: RegExp) => {
    const before = service.output().length;
    service.signal('SIGHUP');
    await poll(`${said} in the log`, () => said.test(service.output().slice(before)));
  };
  expect(await judge('203.0.113.9')).toEqual([true]);
  expect(await judge('198.51.100.1')).toEqual([false]);

  const file = join(service.dir, 'scanners');
  await writeFile(file, '# of the gateway\n198.51.100.0/24\n');
  const text = await readFile(service.configFile, 'utf8');
  await writeFile(service.configFile, text.replace('"203.0.113.0/24"', '"file:scanners"'));
  await reload(/"reloaded"/);
  expect(await judge('198.51.100.2')).toEqual([true]);
  expect(await judge('203.0.113.10')).toEqual([false]);

  await writeFile(file, '192.0.2.0/24\n');
  await reload(/"reloaded"/);
  expect(await judge('192.0.2.1')).toEqual([true]);
  await writeFile(file, '192.0.2.0/99\n');
  await reload(/scanners: line 1: /);
  expect(await judge('192.0.2.2')).toEqual([true]);
});
