import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * This machine, to be written to without a trace: its file system under a layer in memory, seen only by the
 * programs that run in it, with a loopback of their own. Needs root, and overlay mounts.
 */
export interface ScratchRoot {
  /** The arguments that put a command in front of them into the root: `[file, ...args]`. */
  enter(...command: string[]): [file: string, ...args: string[]];
  /** Runs a shell script in the root; output and exit code. */
  sh(script: string): { status: number | null; output: string };
  close(): Promise<void>;
}

const MOUNT = `
  mount -t tmpfs tmpfs "$1"
  mkdir "$1/upper" "$1/work" "$1/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
  mount --rbind /proc "$1/root/proc"
  mount --rbind /dev "$1/root/dev"
  mount -t tmpfs tmpfs "$1/root/tmp"
  # ifconfig lo up, for which there may be no program: SIOCSIFFLAGS with IFF_UP.
  perl -e 'use Socket; socket(S, AF_INET, SOCK_DGRAM, 0); my $up = pack("Z16s x14", "lo", 1);
    ioctl(S, 0x8914, $up) or die $!'
  echo mounted
  read -r _`;

export async function openScratchRoot(): Promise<ScratchRoot> {
  const folder = mkdtempSync(join(tmpdir(), 'scratch-'));
  // The mounts live as long as this process, which waits for the end of its input.
  const holder = spawn('unshare', ['--mount', '--net', 'sh', '-euc', MOUNT, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  await mounted(holder);
  const enter = (...command: string[]): [string, ...string[]] => {
    const root = join(folder, 'root');
    return ['nsenter', `--target=${holder.pid}`, '--mount', '--net', 'chroot', root, ...command];
  };
  return {
    enter,
    sh(script) {
      const [file, ...args] = enter('sh', '-euc', script);
      const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
      return { status, output: stdout + stderr };
    },
    async close() {
      const ended = once(holder, 'exit');
      holder.stdin?.end();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

async function mounted(holder: ChildProcess): Promise<void> {
  const complaints: unknown[] = [];
  holder.stderr?.on('data', (text) => complaints.push(text));
  const lines = createInterface({ input: holder.stdout as NodeJS.ReadableStream });
  const outcome = await Promise.race([once(lines, 'line'), once(holder, 'close')]);
  if (outcome[0] !== 'mounted') {
    throw new Error(
      `no scratch root, which needs root and overlay mounts (in a container: --privileged): ${complaints.join('')}`,
    );
  }
}
