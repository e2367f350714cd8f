import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../helpers/free-port.ts';
import { installPageBlocks } from '../helpers/install-page.ts';
import { type PeerProcess, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { openScratchRoot, type ScratchRoot } from '../helpers/scratch-root.ts';

// One fresh checkout, installed and built once, is packed both ways.
const checkout = join(import.meta.dirname, '../..');
let folder: string;
let fresh: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'packaging-'));
  fresh = join(folder, 'fresh');
  mkdirSync(fresh);
  // As a clone would be, with what is not committed yet.
  sh(
    'git ls-files -z --cached --others --exclude-standard | tar --null -T - --ignore-failed-read -cf - | tar -C "$1" -xf -',
    checkout,
    fresh,
  );
  // What docs/install.md says; it leaves what npm pack needs as well.
  const [build = ''] = installPageBlocks('sh');
  sh(`export npm_config_prefer_offline=true DPKG_DEB_COMPRESSOR_TYPE=none\n${build}`, fresh);
}, 480_000);
afterAll(() => rmSync(folder, { recursive: true }));

function sh(script: string, cwd: string, ...args: string[]): string {
  return execFileSync('sh', ['-euc', script, 'sh', ...args], { cwd, encoding: 'utf8' });
}

/** The shipped configuration on ports that are free here. */
async function onFreePorts(config: string) {
  const [milter, http, control] = [await freePort(), await freePort(), await freePort()];
  const web = await freePort();
  return {
    config: config
      .replace('"127.0.0.1:8893"', `"127.0.0.1:${milter}"`)
      .replace('"127.0.0.1:8080"', `"127.0.0.1:${http}"`)
      .replace('"127.0.0.1:8894"', `"127.0.0.1:${control}"`)
      .replace('"127.0.0.1:8896"', `"127.0.0.1:${web}"`),
    control,
    web,
  };
}

async function untilReady(service: PeerProcess, control: number): Promise<void> {
  await poll('the service to be ready', async () => {
    if (!service.running) throw new Error(`the service ended:\n${service.output()}`);
    const answer = await fetch(`http://127.0.0.1:${control}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  });
}

describe('npm pack', () => {
  let tarball: string;
  beforeAll(() => {
    const name = sh('npm pack --silent --ignore-scripts', fresh).trim();
    tarball = join(fresh, name);
  }, 60_000);

  test('holds what a user needs, and nothing else', () => {
    const files = sh('tar -tzf "$1"', folder, tarball).trim().split('\n');
    const roots = new Set(files.map((file) => file.split('/').slice(0, 2).join('/')));
    expect([...roots].sort()).toEqual([
      'package/LICENSE',
      'package/README.md',
      'package/conf',
      'package/dist',
      'package/docs',
      'package/package.json',
      'package/systemd',
    ]);
    expect(files).toContain('package/dist/man/clickmilter.8');
    expect(files.filter((file) => /\.map$|\.tsbuildinfo$/.test(file))).toEqual([]);
  });

  test('installed globally, checks its configuration and runs', async () => {
    const prefix = join(folder, 'prefix');
    sh('npm install --global --prefer-offline --prefix "$1" "$2"', folder, prefix, tarball);
    const program = join(prefix, 'bin/clickmilter');
    const shipped = join(prefix, 'lib/node_modules/clickmilter/conf/clickmilter.conf');
    const { config, control, web } = await onFreePorts(readFileSync(shipped, 'utf8'));
    const file = join(folder, 'clickmilter.conf');
    writeFileSync(file, config);
    sh('"$1" --config "$2" check', folder, program, file);

    const service = startPeer(program, ['--config', file, 'run']);
    try {
      await untilReady(service, control);
      for (const file of ['', 'assets/style.css', 'assets/plots.js', 'assets/uPlot.min.css']) {
        expect((await fetch(`http://127.0.0.1:${web}/${file}`)).status).toBe(200);
      }
    } finally {
      expect(await service.stop()).toBe(0);
    }
    expect(readdirSync(join(prefix, 'share/man/man8'))).toEqual(['clickmilter.8']);
  }, 90_000);
});

describe("Debian's package", () => {
  let root: ScratchRoot;
  let deb: string;
  let withNode: string;

  beforeAll(async () => {
    const built = (architecture: string) =>
      join(fresh, readdirSync(fresh).find((file) => file.endsWith(`_${architecture}.deb`)) ?? '');
    deb = built('all');
    withNode = built(sh('dpkg --print-architecture', fresh).trim());
    root = await openScratchRoot();
  }, 120_000);
  afterAll(() => root?.close());

  /** Copies a package into the root and installs it without asking anything. */
  function install(file: string): void {
    execFileSync(...inRoot('cat > /tmp/clickmilter.deb'), { input: readFileSync(file) });
    expect(
      root.sh(`DEBIAN_FRONTEND=noninteractive ${dpkgInstall()} /tmp/clickmilter.deb`),
    ).toMatchObject({
      status: 0,
    });
  }

  /** A Node that is not a package of Debian's is as good. */
  function dpkgInstall(): string {
    const packaged = root.sh('dpkg-query -W nodejs').status === 0;
    return packaged ? 'dpkg --install' : 'dpkg --ignore-depends=nodejs --install';
  }

  /** The same package as a later version. */
  function successor(): string {
    const file = join(folder, 'successor.deb');
    sh('test/packaging/successor.sh "$1" "$2"', checkout, deb, file);
    return file;
  }

  test('the commands of docs/install.md lead to a first tracked click', async () => {
    const commands = installPageBlocks('sh').at(-1)?.trim().split('\n') ?? [];
    expect(commands.length).toBeLessThanOrEqual(8);

    // A Postfix that is installed and runs, as the page has it; where systemd would start the service, this does.
    root.sh(
      'cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf && rm -f /var/mail/root && newaliases',
    );
    execFileSync(...inRoot('cat > /tmp/clickmilter_1_amd64.deb'), {
      input: readFileSync(withNode),
    });
    root.sh('postfix start');
    let service: PeerProcess | undefined;
    try {
      for (const command of commands) {
        // Postfix is there already, and dpkg needs no network.
        const here = command.replace(/^apt install [^.]*/, 'cd /tmp && dpkg --install ');
        const { status, output } = root.sh(here);
        if (command.startsWith('apt install')) {
          service = startPeer(...runAs('clickmilter', 'clickmilter', 'run'));
          await untilReadyInRoot(service);
        }
        expect({ command, status, output }).toMatchObject({ status: 0 });
        if (command.startsWith('printf')) {
          await poll('the mail', () => root.sh('test -s /var/mail/root').status === 0);
        }
        if (command.startsWith('curl'))
          expect(output).toMatch(/302 Found.*Location: https:\/\/www\.example\.com\//is);
        if (command.startsWith('clickmilter events')) {
          expect(output).toContain('"target_link_url":"https://www.example.com/"');
        }
      }
    } finally {
      root.sh('postfix stop');
      await service?.stop();
      root.sh('dpkg --purge clickmilter');
    }
  }, 120_000);

  test('with Node.js has no error in the eyes of lintian, and no warning but those we know', () => {
    // The tests build it uncompressed, to be quick.
    const quick = 'uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball';
    const check = 'lintian --allow-root --tag-display-limit 0 --suppress-tags "$1" "$2"';
    const found = sh(check, fresh, quick, withNode);
    const tags = found.split('\n').map((line) => line.split(' ').slice(0, 3).join(' '));
    expect([...new Set(tags)].sort()).toEqual([
      '',
      // The services belong to a target of their own.
      'W: clickmilter: systemd-service-file-refers-to-unusual-wantedby-target',
    ]);
  }, 300_000);

  test('opens its sockets before its services start, after a removal as well', () => {
    // systemd as far as the package asks for it.
    root.sh(`mkdir -p /run/systemd/system && rm -f /usr/sbin/policy-rc.d
cat > /usr/local/bin/systemctl <<'END'
#!/bin/sh
case "$*" in
  *is-enabled*) echo enabled ;;
  *is-active*) exit 3 ;;
  *start*) echo "$*" >> /tmp/calls ;;
esac
END
chmod 755 /usr/local/bin/systemctl`);
    const steps = [
      ['installed', () => install(deb)],
      ['upgraded', () => install(successor())],
      ['removed', () => root.sh('dpkg --remove clickmilter')],
      ['installed again', () => install(deb)],
    ] as const;
    try {
      for (const [what, step] of steps) {
        root.sh(': > /tmp/calls');
        step();
        const calls = root.sh('cat /tmp/calls').output.trim().split('\n');
        const started = calls.map((call) => call.replace(/^--quiet --system /, '').split(' '));
        expect([what, ...started]).toEqual(
          what === 'removed'
            ? [what, ['']]
            : [
                what,
                ['start', expect.stringMatching(/\.socket$/), ...Array(3).fill(expect.any(String))],
                // deb-systemd-invoke leaves alone what is neither enabled nor running.
                [
                  'restart',
                  ...['milter', 'redirect', 'web'].map((name) => `clickmilter-${name}.service`),
                ],
                ['start', 'clickmilter.target'],
              ],
        );
      }
    } finally {
      root.sh('dpkg --purge clickmilter; rm -r /run/systemd /usr/local/bin/systemctl');
    }
  }, 60_000);

  test('removed, it prints what Postfix still has of it, and commands that leave the other milters', () => {
    install(deb);
    root.sh(`cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
      postconf -e 'smtpd_milters = {inet:127.0.0.1:8893, {default_action = tempfail}}, inet:localhost:8891' \
        'non_smtpd_milters = unix:clickmilter/milter.sock inet:localhost:18893'
      postconf -P 'smtp/inet/smtpd_milters={inet:[::1]:8893,default_action=tempfail},inet:localhost:8891'`);
    const { output } = root.sh('dpkg --remove clickmilter');
    const commands = [...output.matchAll(/^ {2}(postconf .*)$/gm)].map(([, command]) => command);
    expect(root.sh(commands.join('\n'))).toEqual({ status: 0, output: '' });
    expect(root.sh("postconf -n | grep milters; postconf -P '*/*/smtpd_milters'").output).toBe(
      [
        'non_smtpd_milters = inet:localhost:18893',
        'smtpd_milters = inet:localhost:8891',
        'smtp/inet/smtpd_milters = inet:localhost:8891',
        '',
      ].join('\n'),
    );
    install(deb);
    const tables = `127.0.0.2 DISABLE
# inet:127.0.0.1:8893
127.0.0.4 inet:localhost:8891, inet:127.0.0.1:8893`;
    root.sh(`cat >/etc/postfix/milter_maps <<'END'
${tables}
END
      postconf -e 'smtpd_milter_maps = cidr:/etc/postfix/milter_maps, inline:{127.0.0.5=DISABLE}'`);
    const maps = root.sh('dpkg --remove clickmilter').output;
    expect(maps).toContain('still asks this milter');
    expect(maps).toMatch(/by hand.*\n {2}\/etc\/postfix\/milter_maps, line 3\n/);
    expect(maps).not.toContain('postconf');

    install(deb);
    root.sh(`postconf -X smtpd_milter_maps
      postconf -e 'tracking = inet:127.0.0.1:8893' 'smtpd_milters = inet:localhost:8891, $tracking' \
        'relayhost = clickmilter.example'`);
    const indirect = root.sh('dpkg --remove clickmilter').output;
    expect(indirect).toMatch(/asks this milter.*:\n {2}tracking = inet:127\.0\.0\.1:8893\nTake/);
    root.sh(
      [...indirect.matchAll(/^ {2}(postconf .*)$/gm)].map(([, command]) => command).join('\n'),
    );
    expect(root.sh('postconf -hx smtpd_milters').output).toBe('inet:localhost:8891,\n');

    root.sh("postconf -e 'smtpd_milter_maps = inline:{127.0.0.5=DISABLE}'");
    install(deb);
    expect(root.sh('dpkg --purge clickmilter').output).not.toContain('Postfix');
  }, 60_000);

  test('is installed, upgraded, removed and purged', async () => {
    const conf = '/etc/clickmilter/clickmilter.conf';
    install(deb);
    expect(
      root.sh(`stat -c '%U:%G %a' ${conf} /var/lib/clickmilter /var/log/clickmilter`).output,
    ).toBe('root:clickmilter 640\nclickmilter:clickmilter 700\nclickmilter:clickmilter 750\n');
    expect(
      root.sh('cd /etc/systemd/system && ls -d *.wants/clickmilter*').output.split('\n'),
    ).toEqual([
      'clickmilter.target.wants/clickmilter-milter-control.socket',
      'clickmilter.target.wants/clickmilter-milter.service',
      'clickmilter.target.wants/clickmilter-milter.socket',
      'clickmilter.target.wants/clickmilter-redirect-control.socket',
      'clickmilter.target.wants/clickmilter-redirect.service',
      'clickmilter.target.wants/clickmilter-redirect.socket',
      'multi-user.target.wants/clickmilter.target',
      'sockets.target.wants/clickmilter-milter-control.socket',
      'sockets.target.wants/clickmilter-milter.socket',
      'sockets.target.wants/clickmilter-redirect-control.socket',
      'sockets.target.wants/clickmilter-redirect.socket',
      '',
    ]);
    expect(root.sh('clickmilter check').output).not.toContain('error');
    expect(root.sh('clickmilter config get Web_Listener enable').output).toContain(
      'enable = false',
    );
    expect(root.sh('clickmilter run --role web').status).toBe(78);
    expect(root.sh('man -w clickmilter clickmilter.conf clickmilter-doctor').output).toBe(
      ['man8/clickmilter.8', 'man5/clickmilter.conf.5', 'man8/clickmilter-doctor.8']
        .map((page) => `/usr/share/man/${page}.gz\n`)
        .join(''),
    );

    // It runs as its own user, with an administrator's change to the configuration.
    root.sh(`echo '# ours' >> ${conf}`);
    const config = root.sh(`cat ${conf}`).output;
    const service = startPeer(...runAs('clickmilter', 'clickmilter', 'run'));
    try {
      await untilReadyInRoot(service);
    } finally {
      expect(await service.stop()).toBe(0);
    }
    const state = root.sh('ls /var/lib/clickmilter').output;
    root.sh('echo "{}" > /var/log/clickmilter/clickmilter.log');
    expect(state).toContain('keys');

    install(successor());
    expect(root.sh('dpkg-query -W clickmilter').output).toBe('clickmilter\t99\n');
    expect(root.sh(`cat ${conf}`).output).toBe(config);
    expect(root.sh(`stat -c '%U:%G %a' ${conf}`).output).toBe('root:clickmilter 640\n');

    expect(root.sh('dpkg --remove clickmilter')).toMatchObject({ status: 0 });
    expect(root.sh('ls /var/lib/clickmilter').output).toBe(state);
    expect(root.sh(`cat ${conf}`).output).toBe(config);
    expect(root.sh('command -v clickmilter').status).not.toBe(0);

    expect(root.sh('dpkg --purge clickmilter')).toMatchObject({ status: 0 });
    const left = 'find / -xdev -name "*clickmilter*" -newer /tmp/clickmilter.deb 2>/dev/null';
    expect(root.sh(`ls -d /var/lib/clickmilter /etc/clickmilter /usr/lib/clickmilter`).status).toBe(
      2,
    );
    expect(root.sh('getent passwd clickmilter').status).toBe(2);
    expect(root.sh(`${left} | grep -v ^/tmp/ || true`).output).toBe('');
  }, 120_000);

  async function untilReadyInRoot(service: PeerProcess): Promise<void> {
    await poll('the service to be ready', () => {
      if (!service.running) throw new Error(`the service ended:\n${service.output()}`);
      return root.sh('curl -fsS http://127.0.0.1:8894/readyz').status === 0;
    });
  }

  function inRoot(script: string): [string, string[]] {
    const [file, ...args] = root.enter('sh', '-euc', script);
    return [file, args];
  }

  function runAs(user: string, ...command: string[]): [string, string[]] {
    const [file, ...args] = root.enter(
      'setpriv',
      `--reuid=${user}`,
      `--regid=${user}`,
      '--clear-groups',
      ...command,
    );
    return [file, args];
  }
});
