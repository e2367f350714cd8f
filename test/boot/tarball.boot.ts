import { afterEach, describe, expect, test } from 'vitest';
import { follow } from '../helpers/follow.ts';
import { installPageBlocks } from '../helpers/install-page.ts';
import { bootMachine, type Machine, suites } from '../helpers/machine.ts';
import { poll } from '../helpers/poll.ts';

let machine: Machine;
afterEach(() => machine?.stop());

describe.each(suites)('%s', (suite) => {
  test('the tarball, by the commands of docs/install.md: a tracked click, an upgrade, and removed without a trace', async () => {
    machine = await bootMachine(`${suite}-mail`);
    const files = 'find / -xdev -name "*clickmilter*" -not -path "/packages/*" | sort';
    const filesBefore = await machine.run(files);
    await machine.run(
      'cp /packages/clickmilter-*-linux-*.tar.gz /root/clickmilter-1-linux-amd64.tar.gz',
    );
    const [install, upgrade, remove] = installPageBlocks('sh', 'RPM and other systems');
    await runAll(install);
    await runAll(installPageBlocks('sh')[1], /^(?!apt|curl|clickmilter events)/);
    const mail = await poll('the mail', async () => {
      const { output } = await machine.sh('cat /var/mail/root');
      return /http:\/\/localhost:8080\/[\w-]+/.exec(output)?.[0];
    });
    const target = { status: 302, location: 'https://www.example.com/' };
    expect(await follow(8080, mail)).toEqual(target);
    expect(await machine.run('clickmilter events')).toContain('"type":"click"');

    // The engagement page is off until it is turned on.
    const page = 'http://127.0.0.1:8896/';
    await expect(fetch(page)).rejects.toThrow();
    await machine.run(
      `sed -i '/^Web_Listener {/,/^}/s/enable = off/enable = on/' /etc/clickmilter/clickmilter.conf
       clickmilter check && systemctl enable --now clickmilter-web.socket`,
    );
    expect((await fetch(page)).status).toBe(200);
    const pagePid = () => machine.run('systemctl show -P MainPID clickmilter-web');
    const before = await pagePid();

    await runAll(upgrade);
    await expect.poll(() => follow(8080, mail)).toEqual(target);
    await expect.poll(async () => (await fetch(page)).status).toBe(200);
    expect(await pagePid()).not.toBe(before);
    expect(await machine.errors()).toEqual([]);

    const [fromPostfix] = installPageBlocks('sh', 'Upgrade and remove');
    expect(await runAll(fromPostfix)).toContain('smtpd_milters = {inet:127.0.0.1:8893');
    await runAll(remove);
    await machine.run('rm /root/clickmilter-1-linux-amd64.tar.gz /var/mail/root');
    expect(await machine.run(files)).toBe(filesBefore);
    await machine.run('printf "Subject: later\\n\\nhttps://www.example.com/\\n" | sendmail root');
    await expect
      .poll(async () => (await machine.sh('cat /var/mail/root')).output)
      .toContain('\nhttps://www.example.com/\n');
    const units = 'systemctl list-units --plain --no-legend "clickmilter*"';
    expect(await machine.run(units)).toBe('');
  });

  /** Runs each command of a block whose beginning is asked for, and returns their output. */
  async function runAll(block = '', wanted = /^/): Promise<string> {
    const outputs: string[] = [];
    for (const command of block.trim().split('\n')) {
      if (wanted.test(command)) outputs.push(await machine.run(`cd /root; ${command}`));
    }
    expect(outputs).not.toEqual([]);
    return outputs.join('');
  }
});
