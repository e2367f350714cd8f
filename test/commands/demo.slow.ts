import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort } from '../helpers/free-port.ts';
import { runCli } from '../helpers/run-cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-demo-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** @param places the port of the milter, and the host of tracked links, where they are not free ones */
async function demo(
  scope: string,
  more = '',
  places: { readonly milter?: number; readonly domain?: string } = {},
) {
  const http = await freePort();
  const { milter = await freePort(), domain = `localhost:${http}` } = places;
  const config = join(folder, 'clickmilter.conf');
  await writeFile(
    config,
    `Milter_Listener { Listen "127.0.0.1:${milter}" { } }
     HTTP_Listener { Listen "127.0.0.1:${http}" { } }
     ESMTP_Listener { Listen "*:587" { tracking_domain = "${domain}" ${scope} } }
     Control_Listener { enable = off }
     state_directory = "${folder}/var${http}"
     ${more}`,
  );
  return runCli(['-c', config, 'demo']);
}

/** The stanza of the shipped configuration that gives the demo its click map. */
async function demoPathway(): Promise<string> {
  const shipped = await readFile('conf/clickmilter.conf', 'utf8');
  return /^pathway .*?^\}/ms.exec(shipped)?.[0] ?? '';
}

test('the demo shows the message before and after, a link followed, and the click', async () => {
  const { code, stdout, stderr } = await demo('click_tracking_enabled = on');
  const text = stdout.toString();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(text).toContain('- Tulips first (https://www.example.com/guide/tulips[[data-msys-link');
  expect(text).toMatch(/\+ Tulips first \(http:\/\/localhost:\d+\/[\w-]+\),/);
  expect(text).toMatch(/\+ then garlic <http:\/\/localhost:\d+\/[\w-]+>\./);
  expect(text).toContain('302 Found\nLocation: https://www.example.com/guide/tulips\n');
  expect(text).toContain('"target_link_url": "https://www.example.com/guide/tulips"');
  expect(text).toContain('"rcpt_to": "ada@customer.example"');

  // What the README shows of it, in this order; each … stands for more.
  const readme = await readFile('README.md', 'utf8');
  const [, shown = ''] = /plays the MTA and the reader:\n\n((?: {4}.*\n)+)/.exec(readme) ?? [];
  const lines = text
    .split('\n')
    .map((line) => line.trim().replace(/http:\/\/localhost:\d+\/[\w-]+/, 'LINK'));
  for (const line of shown.replaceAll(/http:\/\/localhost:8080\/[\w-]+…/g, 'LINK').split('\n')) {
    if (line.trim() === '…' || line === '') continue;
    expect(lines).toContain(line.trim());
    lines.splice(0, lines.indexOf(line.trim()) + 1);
  }
});

test('with the engagement page, the demo fills it and ends with its address', async () => {
  const port = await freePort();
  const { code, stdout, stderr } = await demo(
    'click_tracking_enabled = on',
    `smtpapi { } Web_Listener { Listen "127.0.0.1:${port}" { } } ${await demoPathway()}`,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const kept = await readdir(folder, { recursive: true });
  expect(kept).toContainEqual(expect.stringMatching(/previews\/.*\.preview$/));
  const text = stdout.toString();
  expect(text).toContain('to 12 more readers: 7 of them click.');
  expect(text.trimEnd().split('\n').at(-1)).toContain(`http://127.0.0.1:${port}/`);
  const report = await runCli(['-c', join(folder, 'clickmilter.conf'), 'report', '--json']);
  expect(JSON.parse(report.stdout.toString()).rows).toEqual([
    expect.objectContaining({ campaign: 'bulbs', messages: 13 }),
  ]);
  const events = await runCli(['-c', join(folder, 'clickmilter.conf'), 'events']);
  const classes = events.stdout.toString().match(/"is_automatic":\s*\w+/g) ?? [];
  expect(classes.filter((one) => one.endsWith('true'))).toHaveLength(4);
  expect(classes.filter((one) => one.endsWith('false'))).toHaveLength(11);
  // The page shows names of links whatever `log { detail }` is.
  const names = events.stdout.toString().match(/(?<="target_link_name":\s*")[^"]*/g);
  expect(new Set(names)).toEqual(new Set(['Tulips', 'Shop']));
});

// With `seal` too: only Redis knows who has opted out.
test.each(['accept', 'seal'])(
  'Redis that is away is told in one line, the newsletter goes out untracked (%s)',
  async (how) => {
    const { code, stderr } = await demo(
      `click_tracking_enabled = on on_failure = ${how}`,
      'link_store = redis redis { url = "redis://127.0.0.1:1" command_timeout = 0.2 }',
    );
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringContaining(
        'came back without tracked links: the link store is not available. Redis 127.0.0.1:1',
      ),
    ]);
    expect(code).toBe(69);
  },
);

test.each<readonly [string, string, (socket: Socket) => void]>([
  ['never answers', 'no reply within 5000 ms', () => {}],
  ['closes at once', 'the milter closed the connection', (socket) => socket.end()],
  ['speaks SMTP', 'frame', (socket) => socket.write('220 mx1.example.com ESMTP\r\n')],
])(
  'another program at the address of the milter that %s ends the demo, with the address',
  async (_, reason, serve) => {
    const port = await otherProgram((socket) => {
      socket.on('error', () => {}).resume();
      serve(socket);
    });
    const { code, stdout, stderr } = await demo('click_tracking_enabled = on', '', {
      milter: port,
    });
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 69, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(`^clickmilter: 127\\.0\\.0\\.1:${port}: .*${reason}.*: expected .*\n$`),
    );
  },
);

test.each<readonly [string, string, (socket: Socket) => void]>([
  ['never answers', 'timeout', () => {}],
  ['answers 200', '200', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')],
  ['closes at once', 'fetch failed: ', (socket) => socket.end()],
])(
  'a host of tracked links that %s ends the demo, with the link and without a stack trace',
  async (_, reason, serve) => {
    const port = await otherProgram((socket) => {
      socket.on('error', () => {}).once('data', () => serve(socket));
    });
    const { code, stderr } = await demo('click_tracking_enabled = on', '', {
      domain: `localhost:${port}`,
    });
    expect(stderr).toMatch(
      new RegExp(
        `^clickmilter: GET http://localhost:${port}/[\\w-]+: .*${reason}.*: expected a redirect.*\n$`,
      ),
    );
    expect(code).toBe(69);
  },
);

const others: Server[] = [];
afterEach(() => {
  for (const server of others.splice(0)) server.close();
});

/** A program that is not clickmilter: its port. */
async function otherProgram(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer(serve).listen(0, '127.0.0.1');
  others.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
