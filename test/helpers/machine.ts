import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

/** The Debian releases that the boot tests run on, by `test/boot/boot.sh`. */
export const suites = setting('BOOT_SUITES').split(/\s+/);

/** A Debian with systemd as its first process and without Node.js; clickmilter is at hand, but not installed. */
export interface Machine {
  /** Runs a shell script as root: exit code and output. */
  sh(script: string): Promise<{ readonly status: number; readonly output: string }>;
  /** Runs a shell script that must succeed, and returns its output. */
  run(script: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** The lines of systemd's journal of priority `err` and above, of every unit but cron, which misses a locale. */
  errors(): Promise<readonly string[]>;
  /** Ends it as if it lost power; what it wrote is gone. */
  stop(): Promise<void>;
}

/** The package with Node.js, the same one as a later version, and the one without, as a machine sees them. */
export const packages = {
  current: '/packages/clickmilter.deb',
  successor: '/packages/successor.deb',
  withoutNode: '/packages/without-node.deb',
} as const;

/**
 * Boots a machine and waits until systemd has started everything. It shares the network of the test, which has only
 * a loopback: its ports are ours.
 * @param tree as `test/boot/make-root.sh` makes them: `SUITE` for a bare Debian, `SUITE-mail` with Postfix and Redis
 */
export async function bootMachine(tree: string): Promise<Machine> {
  const cgroup = mkdtempSync(join(setting('BOOT_CGROUP'), `${tree}-`));
  const nspawn = startPeer(
    requireProgram('sh', 'dash'),
    [
      '-euc',
      // systemd-nspawn divides the control group that it finds itself in.
      'echo 0 >"$1/cgroup.procs"; shift; exec "$@"',
      'sh',
      cgroup,
      requireProgram('systemd-nspawn', 'systemd-container'),
      '--quiet',
      '--register=no',
      '--keep-unit',
      '--console=pipe',
      '--volatile=overlay',
      '--machine=mx1',
      `--directory=${join(setting('BOOT_FOLDER'), tree)}`,
      `--bind-ro=${setting('BOOT_PACKAGES')}:/packages`,
      '--boot',
    ],
    { env: { UNIFIED_CGROUP_HIERARCHY: '1', SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' } },
  );

  const init = await poll(
    `the first process of ${tree}`,
    async () => {
      if (!nspawn.running) throw new Error(`systemd-nspawn ended:\n${nspawn.output()}`);
      const { output } = await execute('pgrep', ['-P', String(nspawn.pid)]);
      return output.split('\n').find(isInit);
    },
    30_000,
  );
  const enter = [
    '--target',
    init,
    '--mount',
    '--uts',
    '--ipc',
    '--pid',
    '--cgroup',
    '--root',
    '--wd',
  ];
  const environment = [
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'HOME=/root',
    'LANG=C.UTF-8',
    'DEBIAN_FRONTEND=noninteractive',
  ];
  const sh = (script: string, input?: string) =>
    execute('nsenter', [...enter, 'env', '-i', ...environment, 'sh', '-euc', script], input);
  const run = async (script: string): Promise<string> => {
    const { status, output } = await sh(script);
    if (status !== 0) throw new Error(`exit code ${status} of: ${script}\n${output}`);
    return output;
  };
  await poll(
    `${tree} to boot`,
    async () =>
      /^(running|degraded)$/m.test((await sh('systemctl is-system-running || true')).output),
    90_000,
  );
  return {
    sh: (script) => sh(script),
    run,
    async write(path, text) {
      const { status, output } = await sh(`cat >'${path}'`, text);
      if (status !== 0) throw new Error(output);
    },
    async errors() {
      const lines = await run('journalctl --quiet --no-pager --output=short -p err');
      return lines.split('\n').filter((line) => line !== '' && !/ CRON\[\d+\]: pam_env/.test(line));
    },
    async stop() {
      writeFileSync(join(cgroup, 'cgroup.kill'), '1');
      await nspawn.exited;
      await poll('its processes to end', () =>
        readFileSync(join(cgroup, 'cgroup.events'), 'utf8').includes('populated 0'),
      );
    },
  };
}

/** Whether it is not one that prepares the machine, still among the files of this one. */
function isInit(pid: string): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^Name:\tsystemd$/m.test(status) && /^NSpid:.*\t1$/m.test(status);
  } catch {
    return false; // it has ended
  }
}

function execute(
  file: string,
  args: readonly string[],
  input = '',
): Promise<{ status: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : error.code;
      if (typeof status === 'number') resolve({ status, output: stdout + stderr });
      else reject(error);
    });
    child.stdin?.on('error', () => undefined); // a command need not read it
    child.stdin?.end(input);
  });
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is not set: run the boot tests with npm run test:boot`);
  return value;
}
