import { afterEach, describe, expect, test } from 'vitest';
import { installPageBlocks } from '../helpers/install-page.ts';
import { bootMachine, type Machine, packages, suites } from '../helpers/machine.ts';
import { poll } from '../helpers/poll.ts';
import { slowness } from '../helpers/slowness.ts';
import { smtpConnect } from '../helpers/smtp-client.ts';

let machine: Machine;
afterEach(() => machine?.stop());

describe.each(suites)('%s', (suite) => {
  test('the commands of docs/install.md lead from a bare system to a first tracked click in two minutes; removed, the package says what the MTA still asks; purged, nothing is left', async () => {
    machine = await bootMachine(suite);
    const files = 'find / -xdev -name "*clickmilter*" -not -path "/packages/*" | sort';
    const before = await machine.run(files);
    expect(await machine.run('command -v node postfix curl || true')).toBe('');
    await machine.run(`cp ${packages.current} /root/clickmilter_1_amd64.deb`);
    const commands = installPageBlocks('sh').at(-1)?.trim().split('\n') ?? [];
    expect(commands.length).toBeLessThanOrEqual(8);
    const slow = await slowness();
    const begun = performance.now();
    for (const command of commands) {
      const output = await machine.run(`cd /root; ${command}`);
      if (command.startsWith('printf')) await mailArrives();
      if (command.startsWith('curl')) {
        expect(output).toMatch(/302 Found.*Location: https:\/\/www\.example\.com\//is);
      }
      if (command.startsWith('clickmilter events')) {
        expect(output).toContain('"target_link_url":"https://www.example.com/"');
      }
    }
    const seconds = (performance.now() - begun) / 1000;
    console.log(
      `${suite}: from the bare system to the first tracked click in ${seconds.toFixed()} s`,
    );
    expect(seconds).toBeLessThan(120 * Math.max(slow, await slowness()));
    expect(await machine.errors()).toEqual([]);
    expect(await machine.run('command -v node || true')).toBe('');
    await doctorNamesSettings();

    // A session that its worker would finish, however long that takes, does not outlive the program.
    const idle = await smtpConnect(25);
    const said = await machine.run('apt-get remove -y -qq clickmilter 2>&1');
    expect(await machine.run('pgrep -u clickmilter || true')).toBe('');
    await idle.quit();
    expect(said).toContain('Postfix (/etc/postfix) still asks this milter');
    const advice = [...said.matchAll(/^ {2}(post(?:conf|fix) -c .*)$/gm)].map(([, one]) => one);
    await machine.run(`rm /root/clickmilter_1_amd64.deb /var/mail/root\n${advice.join('\n')}`);
    expect(await machine.run('postconf -h smtpd_milters')).toBe('\n');
    await machine.run('printf "Subject: later\\n\\nhttps://www.example.com/\\n" | sendmail root');
    await mailArrives();
    expect(await machine.run('cat /var/mail/root')).not.toContain('localhost:8080');
    expect(await machine.run('apt-get remove -y -qq clickmilter 2>&1')).not.toContain('still asks');

    await machine.run('apt-get purge -y -qq clickmilter');
    expect(await machine.run(files)).toBe(before);
    expect(await machine.run('getent passwd clickmilter || getent group clickmilter || true')).toBe(
      '',
    );
    expect(await machine.run('systemctl list-units --all --plain --no-legend "clickmilter*"')).toBe(
      '',
    );
    expect(await machine.errors()).toEqual([]);
  });

  test('the package without Node.js takes that of the system where it is new enough, and can be replaced by the other', async () => {
    machine = await bootMachine(suite);
    const { status, output } = await machine.sh(`apt-get install -q ${packages.withoutNode} 2>&1`);
    if (suite !== 'trixie') {
      expect(status).not.toBe(0);
      expect(output).toMatch(/Depends: nodejs \(>= 20\.19\)/);
      return;
    }
    expect({ status, output }).toMatchObject({ status: 0 });
    const version = async () => machine.run('clickmilter --version');
    const own = /\(Node\.js (.*)\)/.exec(await version())?.[1];
    expect(`v${own}\n`).toBe(await machine.run('node --version'));
    await machine.run(`apt-get install -qq ${packages.successor} && apt-get autoremove -qq`);
    expect(await version()).toMatch(/\(Node\.js 24\./);
    expect(await machine.run('command -v node || true')).toBe('');
    await machine.run('systemctl is-active clickmilter-milter clickmilter-redirect');
  });

  test('logrotate takes the log file away, and the services go on in a new one, which holds every message', async () => {
    machine = await bootMachine(suite);
    await machine.run(`apt-get install -y -qq ${packages.current}
      echo 'log { file = "/var/log/clickmilter/clickmilter.log" }' >>/etc/clickmilter/clickmilter.conf
      systemctl restart clickmilter.target`);
    const log = '/var/log/clickmilter/clickmilter.log';
    await poll('the log', async () => (await machine.sh(`test -s ${log}`)).status === 0);
    // Errors in the configuration keep nobody from going on in the new file.
    await machine.run('echo bogus >>/etc/clickmilter/clickmilter.conf');
    await machine.run('logrotate --force /etc/logrotate.d/clickmilter');
    await poll(
      'a new file',
      async () => (await machine.sh(`grep 'not reloaded' ${log}`)).status === 0,
    );
    expect(await machine.run(`stat -c '%U %a' ${log} ${log}.1`)).toBe(
      'clickmilter 600\nclickmilter 600\n',
    );
    await machine.run('logrotate --force /etc/logrotate.d/clickmilter');
    await expect
      .poll(() => machine.run('ls /var/log/clickmilter'))
      .toBe('clickmilter.log\nclickmilter.log.1\nclickmilter.log.2.gz\n');
  });

  /** Each service has a control listener, and a command that doctor prints makes it say that all is in use. */
  async function doctorNamesSettings(): Promise<void> {
    const services = ['clickmilter-milter', 'clickmilter-redirect'];
    const findings = async () =>
      (await machine.sh('clickmilter doctor 2>&1')).output
        .split('\n')
        .filter((line) => / service: .*(settings|reload|restart)/.test(line));
    const inUse = services.map(() =>
      expect.stringMatching(/^ok .* uses the settings of the file$/),
    );
    expect(await findings()).toEqual(inUse);
    await machine.run(
      "echo 'workers = 2 log { level = debug }' >>/etc/clickmilter/clickmilter.conf",
    );
    const said = await findings();
    const commands = said.map((line) => line.replace(/^.*: /, ''));
    expect(commands).toEqual(
      services.flatMap((one) => [`systemctl reload ${one}`, `systemctl restart ${one}`]),
    );
    expect(said[0]).toContain('changed since the last reload: log > level');
    expect(said[1]).toContain('takes effect at a restart: workers');
    await machine.run(commands.join('\n'));
    expect(await findings()).toEqual(inUse);
  }

  async function mailArrives(): Promise<void> {
    await poll('the mail', async () => (await machine.sh('test -s /var/mail/root')).status === 0);
  }
});
