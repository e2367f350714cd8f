import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import type { Transaction } from '../../src/milter/client-transaction.ts';
import { poll } from '../helpers/poll.ts';
import { type Service, startService } from '../helpers/service.ts';

// The limits of Milter_Listener, from the configuration to the log line of a message that passes untouched.

let service: Service;
const connect = () => connectMilter({ host: '127.0.0.1', port: service.milterPort });

beforeAll(async () => {
  service = await startService(`
Milter_Listener {
  max_connections = 2
  max_message_size = 4K
  max_header_size = 2K
  max_header_count = 10
  max_recipients = 3
  max_memory = 9K
  max_parts = 5
  max_links = 4
}
ESMTP_Listener { click_tracking_enabled = on }`);
});
afterAll(() => service.stop());

const link = 'https://example.com/\r\n';
const mail = (headers = '', body = link) => Buffer.from(`Subject: x\r\n${headers}\r\n${body}`);
const parts = (count: number) =>
  mail(
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n',
    `${`--b\r\nContent-Type: text/plain\r\n\r\n${link}`.repeat(count)}--b--\r\n`,
  );

test.each<[limit: string, within: Transaction, beyond: Transaction, reason: string]>([
  [
    'max_message_size',
    { message: mail('', link + 'x\r\n'.repeat(1300)) },
    { message: mail('', link + 'x\r\n'.repeat(1400)) },
    'body-too-large',
  ],
  [
    'max_header_size',
    { message: mail(`X-Long: ${'x'.repeat(900)}\r\n`.repeat(2)) },
    { message: mail(`X-Long: ${'x'.repeat(900)}\r\n`.repeat(3)) },
    'over-limit',
  ],
  [
    'max_header_count',
    { message: mail('X-Field: x\r\n'.repeat(9)) },
    { message: mail('X-Field: x\r\n'.repeat(10)) },
    'over-limit',
  ],
  [
    'max_recipients',
    { message: mail(), recipients: Array(3).fill('<a@example.net>') },
    { message: mail(), recipients: Array(4).fill('<a@example.net>') },
    'over-limit',
  ],
  // Beside the body, its headers and the new body count.
  [
    'max_memory',
    { message: mail('', link + 'x\r\n'.repeat(1300)) },
    { message: mail(`X-Long: ${'x'.repeat(900)}\r\n`.repeat(2), link + 'x\r\n'.repeat(1300)) },
    '"reason":"memory"',
  ],
  ['max_parts', { message: parts(4) }, { message: parts(6) }, 'too-many-parts'],
  [
    'max_links',
    { message: mail('', link.repeat(4)) },
    { message: mail('', link.repeat(5)) },
    'too-many-links',
  ],
])('%s: tracked within, untouched beyond, which is logged', async (_, within, beyond, reason) => {
  const client = await connect();
  expect((await client.send(within)).modifications).toHaveLength(1);
  const before = service.log().length;
  expect(await client.send(beyond)).toMatchObject({ answer: 'accept', modifications: [] });
  await client.quit();
  const said = await poll('the log line', () =>
    service
      .log()
      .slice(before)
      .find(({ verdict }) => verdict === 'untouched'),
  );
  expect(JSON.stringify(said)).toContain(reason);
});

test('max_connections: one more is closed, which is logged, and there is room again after QUIT', async () => {
  // Those of the tests before may still be about to go.
  const room = () => poll('room', () => connect().catch(() => undefined));
  const open = [await room(), await room()];
  await expect(connect()).rejects.toThrow();
  await poll('the log line', () => service.log().find(({ maximum }) => maximum === 2));
  for (const client of open) await client.quit();
  await (await room()).quit();
});
