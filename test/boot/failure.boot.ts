import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { suites } from '../helpers/machine.ts';
import { poll } from '../helpers/poll.ts';
import { slowness } from '../helpers/slowness.ts';
import { send } from '../helpers/smtp-client.ts';
import { type MailServer, startMailServer } from './mail-server.ts';

const CONF = '/etc/clickmilter/clickmilter.conf';
const MESSAGE = 'Subject: x\r\n\r\nhttps://example.com/\r\n';

let server: MailServer;
afterEach(() => server?.close());

describe.each(suites)('%s', (suite) => {
  test('a configuration with errors: one start, connections refused at once; mended, mail and clicks go on', async () => {
    server = await startMailServer(suite);
    const { machine } = server;
    await machine.run(`cp ${CONF} /root; echo bogus >>${CONF}`);
    const since = await now();
    for (const service of ['clickmilter-milter', 'clickmilter-redirect']) {
      expect((await machine.sh(`systemctl restart ${service}`)).status).not.toBe(0);
    }
    // Whoever comes now, as mail does all the time, starts nothing.
    for (let n = 0; n < 10; n++) {
      const slow = await slowness();
      const begun = performance.now();
      expect(await send(25, MESSAGE)).toMatchObject({ code: 451 });
      const refusedAfter = performance.now() - begun;
      expect(refusedAfter).toBeLessThan(5_000 * Math.max(slow, await slowness()));
      await expect(fetch('http://127.0.0.1:8080/')).rejects.toThrow();
      await sleep(500);
    }
    expect(await starts('clickmilter-milter', since)).toBe(1);
    expect(await starts('clickmilter-redirect', since)).toBe(1);
    expect(
      await machine.run(`journalctl -u clickmilter-milter --since=@${since} -p err -o cat`),
    ).toContain('systemctl restart clickmilter-milter');

    // What the line says.
    await machine.run(`cp /root/clickmilter.conf ${CONF}
      clickmilter check
      systemctl restart clickmilter-milter.service
      systemctl restart clickmilter-redirect.service`);
    const load = await server.startLoad();
    await load.goOn();
    await load.end([250], ['302']);
  });

  test('a configuration with errors: a reload and an upgrade are refused, and mail goes on', async () => {
    server = await startMailServer(suite);
    const { machine } = server;
    const load = await server.startLoad();
    await machine.run(`echo bogus >>${CONF}`);
    const services = 'clickmilter-milter clickmilter-redirect';
    for (const service of services.split(' ')) {
      const { status } = await machine.sh(`systemctl reload ${service}`);
      expect([service, status]).toEqual([service, 1]);
    }
    expect(await machine.run(`systemctl is-active ${services}`)).toBe('active\nactive\n');
    await load.goOn();
    const said = await machine.run('apt-get install -y -qq /packages/successor.deb 2>&1');
    expect(said).toContain('clickmilter: not restarted');
    await load.goOn();
    await machine.run(`sed -i '/bogus/d' ${CONF}`);
    await load.end([250], ['302']);
  });

  test('a start that fails for another reason is tried again, later each time, and goes on by itself', async () => {
    server = await startMailServer(suite);
    const { machine } = server;
    await machine.run(
      'chown root: /var/lib/clickmilter/keys && chmod 600 /var/lib/clickmilter/keys',
    );
    const since = await now();
    await machine.sh('systemctl restart clickmilter-milter');
    await sleep(30_000);
    const tried = await starts('clickmilter-milter', since);
    expect(tried).toBeGreaterThan(2);
    expect(tried).toBeLessThan(9);
    await machine.run('chown clickmilter: /var/lib/clickmilter/keys');
    await poll(
      'the service',
      async () => (await machine.sh('systemctl is-active clickmilter-milter')).status === 0,
      40_000,
    );
    expect(await send(25, MESSAGE)).toMatchObject({ code: 250 });
  });

  test.each([
    ['milter', 'killed', '--kill-who=main --signal=KILL', [250]],
    ['milter', 'killed with its workers', '--signal=KILL', [250, 451]],
    ['milter', 'hanging', '--kill-who=main --signal=STOP', [250, 451]],
    ['redirect', 'killed with its workers', '--signal=KILL', [250]],
  ])(
    '%s %s: systemd starts it again, and no mail or answered click is lost or doubled',
    async (role, _, kill, replies) => {
      server = await startMailServer(suite);
      const { machine } = server;
      const service = `clickmilter-${role}`;
      const load = await server.startLoad();
      const mainPid = () => machine.run(`systemctl show -P MainPID ${service}`);
      const before = await mainPid();
      await machine.run(`systemctl kill ${kill} ${service}`);
      await poll('another process', async () => ![before, '0\n'].includes(await mainPid()), 90_000);
      await load.goOn();
      await load.end(replies, role === 'milter' ? ['302'] : ['302', 'error']);
    },
  );

  async function now(): Promise<number> {
    return Number(await server.machine.run('date +%s'));
  }

  /** How often systemd tried to start it. */
  async function starts(service: string, since: number): Promise<number> {
    const lines = await server.machine.run(
      `journalctl -u ${service} --since=@${since} -o cat --grep '^Starting ' || true`,
    );
    return lines.split('\n').filter((line) => line.startsWith('Starting')).length;
  }
});
