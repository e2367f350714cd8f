import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { follow } from '../helpers/follow.ts';
import { packages, suites } from '../helpers/machine.ts';
import { poll } from '../helpers/poll.ts';
import { slowness } from '../helpers/slowness.ts';
import { send } from '../helpers/smtp-client.ts';
import { linkOf, type MailServer, startMailServer } from './mail-server.ts';
import { ask, openStream } from './page-client.ts';

const CONF = '/etc/clickmilter/clickmilter.conf';
const UNITS = 'clickmilter-web.service clickmilter-web.socket clickmilter-web-control.socket';
const DROP_IN = '/etc/systemd/system/clickmilter-web.socket.d';
const TOKEN_FILE = '/etc/clickmilter/web-token';
const PAGE = readFileSync(join(import.meta.dirname, '../../docs/engagement.md'), 'utf8');

let server: MailServer;

describe.each(suites)('%s', (suite) => {
  beforeAll(async () => {
    server = await startMailServer(suite);
  });
  afterAll(() => server?.close());

  test('it is off after the installation', async () => {
    expect((await server.machine.sh(`systemctl is-active ${UNITS}`)).output).toBe(
      'inactive\ninactive\ninactive\n',
    );
    expect((await server.machine.sh(`systemctl is-enabled ${UNITS}`)).output).toBe(
      'disabled\ndisabled\ndisabled\n',
    );
    await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
    expect(await doctor()).toEqual(['ok it is off, and nobody can look']);
  });

  test('turned on by the commands of docs/engagement.md: the first request starts it', async () => {
    const { machine } = server;
    await machine.run(`sed -i '/^Web_Listener {/,/^}/s/enable = off/enable = on/' ${CONF}
      sed -i 's/^ESMTP_Listener {/&\\n  preview = on\\n  context = [ smtpapi_campaign_id = "spring" ]/' ${CONF}
      systemctl restart clickmilter-milter`);
    const states = async () => (await machine.sh(`systemctl is-active ${UNITS}`)).output;
    for (const command of commandsOf('Turn it on', 'clickmilter')) await machine.run(command);
    expect(await states()).toBe('inactive\nactive\nactive\n');
    expect((await ask('/')).status).toBe(200);
    expect(await states()).toBe('active\nactive\nactive\n');
    for (const command of commandsOf('Turn it on', 'systemctl')) await machine.run(command);
    expect(await states()).toBe('inactive\ninactive\ninactive\n');
    for (const command of commandsOf('Turn it on', 'clickmilter')) await machine.run(command);
    expect((await ask('/healthz', {}, 8897)).status).toBe(200);
    expect((await ask('/')).status).toBe(200);
    const metrics = await ask('/metrics', {}, 8897);
    expect(metrics.text).toContain('clickmilter_web_requests_total{view="/",status="200"');
    expect(await doctor()).toEqual(['ok 127.0.0.1:8896: every user of this host could look']);
    const { output } = await machine.sh('clickmilter doctor');
    expect(output).toMatch(/^ok .*127\.0\.0\.1:8897, belongs to a service that uses the settings/m);
    expect(await machine.errors()).toEqual([]);
  });

  test('without Redis it shows counts, the newsletter, and clicks as they come', async () => {
    const html = '<p>Tulips are here</p><a href="https://example.com/tulips">Tulips</a>';
    const mail = `Subject: Spring\r\nContent-Type: text/html\r\n\r\n${html}\r\n`;
    let copies = 0;
    const sendCopy = async () => {
      const to = `reader-${copies++}@example.net`;
      expect(await send(25, mail, { to })).toMatchObject({ code: 250 });
      return linkOf(await server.takeMail());
    };
    const links = [await sendCopy(), await sendCopy()];
    const preview = () => ask('/campaign/preview?campaign=spring');
    // Of copies that follow at once, one is read.
    await poll('the preview', async () => {
      await sendCopy();
      return (await preview()).text.includes('Tulips are here');
    });
    const live = await openStream();
    for (const link of links) expect(await follow(8080, link)).toMatchObject({ status: 302 });
    await poll('both clicks in Live', () => {
      const ids = live.text().matchAll(/"event_id":"([^"]+)"/g);
      return new Set([...ids].map(([, id]) => id)).size === 2;
    });
    live.close();
    expect((await ask(`/message?find=${encodeURIComponent(links[0] ?? '')}`)).text).toContain(
      'example.com',
    );
    await expect
      .poll(async () => (await ask('/rows?by=campaign', { accept: 'application/json' })).text)
      .toMatch(/"spring".*"count_clicked":2/s);
    expect((await ask('/campaign?campaign=spring')).text).toContain('/campaign/preview?');
    expect(await server.machine.errors()).toEqual([]);
  });

  test('a login by the commands of docs/engagement.md, which a restart puts into effect and a reload renews', async () => {
    const { machine } = server;
    const [listener = ''] =
      /^ {4}Web_Listener \{\n(?: {6}.*\n)+ {4}\}\n/m.exec(section('Who may look')) ?? [];
    expect(listener).toContain('token_file');
    for (const command of commandsOf('Who may look', 'install', 'openssl'))
      await machine.run(command);
    await machine.run(`sed -i '/^Web_Listener {/,/^}/d' ${CONF}
      cat >>${CONF} <<'END'\n${listener}END
      clickmilter check`);
    const token = (await machine.run(`cat ${TOKEN_FILE}`)).trim();
    const statusFor = async (bearer: string) =>
      (await ask('/', { host: 'clicks.example.com', authorization: `Bearer ${bearer}` })).status;
    expect(await statusFor(token)).toBe(421);
    await machine.run('systemctl restart clickmilter-web');
    expect(await statusFor(token)).toBe(200);
    expect(await doctor()).toEqual([
      'ok 127.0.0.1:8896: every user of this host could look; those with the token of token_file may change links',
    ]);

    const pid = await mainPid();
    await machine.run(`echo another-token-of-24-letters >${TOKEN_FILE}
      systemctl reload clickmilter-web`);
    await expect.poll(() => statusFor('another-token-of-24-letters')).toBe(200);
    expect(await statusFor(token)).toBe(401);
    await machine.run(`echo short >${TOKEN_FILE}`);
    expect((await machine.sh('systemctl reload clickmilter-web')).status).toBe(1);
    await machine.run('systemctl kill --kill-who=main --signal=HUP clickmilter-web');
    const log = 'journalctl -u clickmilter-web -p err -o cat';
    await expect.poll(() => machine.run(log)).toContain('the old token stays in use');
    expect(await statusFor('another-token-of-24-letters')).toBe(200);
    expect(await mainPid()).toBe(pid);
  });

  test('the sandbox: it writes its state and log, and reads no home; less is exposed than of a web server', async () => {
    const { machine } = server;
    const pid = (await mainPid()).trim();
    const status = await machine.run(`cat /proc/${pid}/status`);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^CapBnd:\t0+$/m);
    // As the user of the service, among the files that it sees.
    const may = async (command: string) => {
      const enter = `nsenter --target ${pid} --mount setpriv --reuid clickmilter --regid clickmilter --clear-groups`;
      return (await machine.sh(`${enter} sh -c '${command}'`)).status === 0;
    };
    await machine.run(
      'touch /root/secret; mkdir -p /home/somebody; touch /srv/site; chmod 777 /srv',
    );
    for (const folder of ['/var/lib/clickmilter', '/var/log/clickmilter', '/tmp']) {
      expect([folder, await may(`touch ${folder}/x && rm ${folder}/x`)]).toEqual([folder, true]);
    }
    for (const folder of [
      '/etc/clickmilter',
      '/usr/lib/clickmilter',
      '/srv',
      '/run',
      '/var/mail',
    ]) {
      expect([folder, await may(`touch ${folder}/x`)]).toEqual([folder, false]);
    }
    expect(await may(`cat ${CONF} ${TOKEN_FILE} /srv/site`)).toBe(true);
    for (const hidden of ['/root/secret', '/home/somebody', '/dev/kmsg', '/proc/1/status']) {
      expect([hidden, await may(`test -e ${hidden}`)]).toEqual([hidden, false]);
    }
    const exposure = async (service: string) => {
      const said = await machine.run(`systemd-analyze security --no-pager ${service}`);
      return Number(/exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
    };
    expect(await exposure('clickmilter-web')).toBeLessThanOrEqual(
      await exposure('clickmilter-redirect'),
    );
    expect(await exposure('clickmilter-web')).toBeLessThan(2.5);
  });

  test('a stop while somebody looks at Live ends at once, and the next request starts it again', async () => {
    const { machine } = server;
    const token = 'another-token-of-24-letters';
    await machine.run(`echo ${token} >${TOKEN_FILE}; systemctl restart clickmilter-web`);
    const live = await openStream();
    const slow = await slowness();
    const begun = performance.now();
    await machine.run('systemctl stop clickmilter-web');
    expect(performance.now() - begun).toBeLessThan(5_000 * Math.max(slow, await slowness()));
    await live.ended;
    const shown = 'systemctl show -P Result -P ActiveState clickmilter-web';
    expect(await machine.run(shown)).toBe('success\ninactive\n');
    const lines = await machine.run('journalctl -u clickmilter-web -o cat');
    expect(lines).not.toMatch(/timed out|Killing/);
    expect((await ask('/')).status).toBe(200);
  });

  test('killed, or unable to start, it takes neither mail nor clicks along', async () => {
    const { machine } = server;
    const load = await server.startLoad();
    await machine.run('systemctl kill --signal=KILL clickmilter-web');
    await expect.poll(() => ask('/').then(({ status }) => status, String)).toBe(200);
    await load.goOn();
    await machine.run(`echo short >${TOKEN_FILE}`);
    expect((await machine.sh('systemctl restart clickmilter-web')).status).not.toBe(0);
    await load.goOn();
    await machine.run(`echo another-token-of-24-letters >${TOKEN_FILE}`);
    await expect.poll(() => ask('/').then(({ status }) => status, String)).toBe(200);
    await load.end([250], ['302']);
  });

  test('at another address, by the commands of docs/engagement.md', async () => {
    await listenAt('127.0.0.1:8898');
    expect((await ask('/', {}, 8898)).status).toBe(200);
    await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
    expect((await doctor())[0]).toMatch(
      /^ok 127\.0\.0\.1:8898: every user of this host could look/,
    );
  });

  test('open to other hosts without token_file it ends with 78, and is not started again until mended', async () => {
    const { machine } = server;
    await machine.run(`sed -i '/token_file/d' ${CONF}; clickmilter check`);
    const since = await machine.run('date +%s');
    await listenAt('0.0.0.0:8896');
    await ask('/').catch(() => {});
    await poll('the socket to close', async () => {
      const { output } = await machine.sh('systemctl is-active clickmilter-web.socket');
      return output === 'inactive\n';
    });
    await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
    expect(await machine.run('systemctl show -P ExecMainStatus clickmilter-web')).toBe('78\n');
    expect(await doctor()).toEqual([
      'error 0.0.0.0:8896: other hosts reach it: set token_file',
      'warning clickmilter-web.socket is not active, so nobody can look now: systemctl status clickmilter-web.service',
    ]);
    const log = await machine.run(`journalctl -u clickmilter-web --since=@${since.trim()} -o cat`);
    expect(log.match(/^Starting /gm)).toHaveLength(1);
    expect(log).toContain('set token_file in Web_Listener');
    const mail = 'Subject: x\r\n\r\nhttps://example.com/\r\n';
    expect((await send(25, mail)).code).toBe(250);

    // What the log says, once the address is that of this host again.
    await machine.run(`rm -r ${DROP_IN}; systemctl daemon-reload
      ${/Mend it, then: (.*)$/m.exec(log)?.[1]}`);
    expect((await ask('/')).status).toBe(200);
  });

  test('an upgrade restarts it; a removal closes it; a purge leaves nothing', async () => {
    const { machine } = server;
    const before = await mainPid();
    await machine.run(`apt-get install -y -qq ${packages.successor} 2>&1`);
    expect((await ask('/')).status).toBe(200);
    expect(await mainPid()).not.toBe(before);

    await machine.run('apt-get remove -y -qq clickmilter 2>&1');
    await expect(ask('/')).rejects.toThrow('ECONNREFUSED');
    await expect(ask('/metrics', {}, 8897)).rejects.toThrow('ECONNREFUSED');
    expect((await machine.sh(`systemctl is-active ${UNITS}`)).output).toBe(
      'inactive\ninactive\ninactive\n',
    );
    // Installed again, it is as it was before.
    await machine.run(`apt-get install -y -qq ${packages.current} 2>&1`);
    await expect.poll(() => ask('/').then(({ status }) => status, String)).toBe(200);
    await machine.run(`rm ${TOKEN_FILE}; apt-get purge -y -qq clickmilter 2>&1`);
    const files = 'find / -xdev -name "*clickmilter*" -not -path "/packages/*"';
    expect(await machine.run(files)).toBe('');
    const units = 'systemctl list-units --all --plain --no-legend "clickmilter*"';
    expect(await machine.run(units)).toBe('');
  });
});

/** Has systemd listen at another address, by the commands of docs/engagement.md. */
async function listenAt(address: string): Promise<void> {
  const [, restart] = /then\s`(systemctl stop [^`]*)`/.exec(section('Turn it on')) ?? [];
  expect(restart).toContain('clickmilter-web.socket');
  await server.machine.run(`mkdir -p ${DROP_IN}
    printf '[Socket]\\nListenStream=\\nListenStream=%s\\n' ${address} >${DROP_IN}/override.conf
    systemctl daemon-reload
    ${restart}`);
}

/** What doctor finds about the page. */
async function doctor(): Promise<readonly string[]> {
  const { output } = await server.machine.sh('clickmilter doctor');
  const found = [...output.matchAll(/^(\w+) +engagement page: (.*)$/gm)];
  return found.map(([, level, message]) => `${level} ${message}`);
}

function mainPid(): Promise<string> {
  return server.machine.run('systemctl show -P MainPID clickmilter-web');
}

function section(title: string): string {
  const found = PAGE.split(/^## /m).find((one) => one.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`docs/engagement.md has no section "${title}"`);
  return found;
}

/** The commands of a section of docs/engagement.md that begin with one of these programs. */
function commandsOf(title: string, ...programs: readonly string[]): readonly string[] {
  const lines = section(title).matchAll(/^ {4}((\w+) .*)$/gm);
  const wanted = [...lines].filter(([, , program = '']) => programs.includes(program));
  expect(wanted).not.toEqual([]);
  return wanted.map(([, command = '']) => command);
}
