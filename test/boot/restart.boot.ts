import { afterEach, describe, expect, test } from 'vitest';
import { packages, suites } from '../helpers/machine.ts';
import { openIdleSessions } from '../helpers/mail-load.ts';
import { type MailServer, startMailServer } from './mail-server.ts';

let server: MailServer;
afterEach(() => server?.close());

describe.each(suites)('%s', (suite) => {
  test.each([
    ['each service', 'systemctl restart clickmilter-milter clickmilter-redirect'],
    ['the target', 'systemctl restart clickmilter.target'],
    ['an upgrade', `apt-get install -y -qq ${packages.successor}`],
  ])('%s under load, with idle sessions: nothing refused', async (_, command) => {
    server = await startMailServer(suite);
    const { machine } = server;
    const load = await server.startLoad();
    const idle = await openIdleSessions(25);
    await load.goOn();
    await machine.run(command);
    await load.goOn();
    for (const session of idle) {
      expect([session.state, await session.finish()]).toEqual([session.state, 250]);
    }
    await load.end([250], ['302']);
    expect(load.mail.longest).toBeLessThan(load.patience);
    expect(await machine.errors()).toEqual([]);
  });
});
