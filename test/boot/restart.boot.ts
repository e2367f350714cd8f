import { afterEach, describe, test } from 'vitest';
import { packages, suites } from '../helpers/machine.ts';
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
});
