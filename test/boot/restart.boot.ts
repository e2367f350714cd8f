import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { packages, suites } from '../helpers/machine.ts';
import { poll } from '../helpers/poll.ts';
import { send } from '../helpers/smtp-client.ts';
import { expectNothingRefused, type MailServer, startMailServer } from './mail-server.ts';

let server: MailServer;
afterEach(() => server?.close());

describe.each(suites)('%s', (suite) => {
  test.each([
    ['each service', 'systemctl restart clickmilter-milter clickmilter-redirect'],
    ['the target', 'systemctl restart clickmilter.target'],
    ['an upgrade', `apt-get install -y -qq ${packages.successor}`],
  ])('%s under load, with idle sessions: nothing refused', async (_, command) => {
    server = await startMailServer(suite);
    await expectNothingRefused(server, command);
  });

  test('the target stopped: both services start when somebody connects; all units stopped: nobody listens', async () => {
    server = await startMailServer(suite);
    const { machine } = server;
    const message = 'Subject: x\r\n\r\nhttps://example.com/\r\n';
    const inState = (state: string) =>
      poll(`both services to be ${state}`, async () => {
        const asked = 'systemctl is-active clickmilter-milter clickmilter-redirect';
        return (await machine.sh(asked)).output === `${state}\n${state}\n`;
      });
    await machine.run('systemctl stop clickmilter.target');
    await inState('inactive');
    expect(await send(25, message)).toMatchObject({ code: 250 });
    expect((await fetch('http://127.0.0.1:8080/robots.txt')).status).toBe(200);
    await inState('active');

    await machine.run("systemctl stop 'clickmilter*'");
    expect(await send(25, message)).toMatchObject({ code: 451 });
    await expect(once(net.connect(8080), 'connect')).rejects.toThrow('ECONNREFUSED');
    await inState('inactive');
  });
});
