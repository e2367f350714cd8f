import { afterEach, describe, expect, test } from 'vitest';
import { installPageBlocks } from '../helpers/install-page.ts';
import { suites } from '../helpers/machine.ts';
import { expectNothingRefused, type MailServer, startMailServer } from './mail-server.ts';

let server: MailServer;
afterEach(() => server?.close());

describe.each(suites)('%s', (suite) => {
  test('a unix socket as docs/install.md has it, with two workers: restarted under load, nothing refused', async () => {
    const [unit = ''] = installPageBlocks('ini', 'A unix socket');
    const [listener = ''] = installPageBlocks('conf', 'A unix socket');
    server = await startMailServer(
      suite,
      'unix:clickmilter/milter.sock',
      `mkdir -p /etc/systemd/system/clickmilter-milter.socket.d
       cat >/etc/systemd/system/clickmilter-milter.socket.d/override.conf <<'END'\n${unit}END
       sed -i '/Listen "127.0.0.1:8893"/d' /etc/clickmilter/clickmilter.conf
       cat >>/etc/clickmilter/clickmilter.conf <<'END'\nworkers = 2\n${listener}END
       systemctl daemon-reload
       systemctl stop 'clickmilter*'
       systemctl start clickmilter.target`,
    );
    await expectNothingRefused(server, 'systemctl restart clickmilter.target');
    const services = 'clickmilter-milter clickmilter-redirect';
    expect(await server.machine.run(`systemctl is-active ${services}`)).toBe('active\nactive\n');
  });
});
