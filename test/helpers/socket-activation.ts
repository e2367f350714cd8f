import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type NotifySocket, openNotifySocket } from './notify-socket.ts';
import { poll } from './poll.ts';

/** A program under what systemd is to it: sockets that outlive it, LISTEN_FDS, and somebody who hears READY=1. */
export interface Activated {
  /** Of the program, since its last start. */
  readonly pid: number;
  readonly notified: NotifySocket['messages'];
  output(): string;
  /** Runs it and waits for READY=1. */
  start(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Waits for its end; its wait(2) status. */
  ended(): Promise<number>;
  /** `systemctl restart`: SIGTERM, the end, a new start. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

// Opens a listening socket for each of its first arguments (a port or a path, up to "--"), then runs the rest
// for each line of its input.
const HOLDER = String.raw`
  use Socket; use POSIX ':sys_wait_h'; $| = 1; $^F = 255; my @held;
  while ((my $place = shift) ne '--') {
    my $s;
    if ($place =~ m{^/}) {
      socket($s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($place)) or die "$place: $!";
      chmod 0666, $place;
    } else {
      socket($s, AF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
      bind($s, sockaddr_in($place, inet_aton('127.0.0.1'))) or die "$place: $!";
    }
    listen($s, 511); push @held, $s;
  }
  $ENV{LISTEN_FDS} = @held;
  $SIG{CHLD} = sub { while ((my $pid = waitpid(-1, WNOHANG)) > 0) { print "ended $pid $?\n" } };
  print "holding\n";
  while (<STDIN>) {
    my $pid = fork; if ($pid) { print "started $pid\n"; next }
    $ENV{LISTEN_PID} = $$; open(STDIN, '<', '/dev/null'); exec @ARGV or die "$ARGV[0]: $!";
  }
  kill 'KILL', -$$;`;

/**
 * @param sockets a port of the loopback or a path, by the name the program knows it by
 * @param command a program that speaks sd_listen_fds(3) and sd_notify(3)
 */
export async function activate(
  sockets: Readonly<Record<string, string | number>>,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Activated> {
  const notify = await openNotifySocket();
  const places = Object.values(sockets).map(String);
  const holder = spawn('perl', ['-e', HOLDER, ...places, '--', ...command], {
    detached: true, // a group of its own, for the end
    env: {
      ...process.env,
      ...env,
      NOTIFY_SOCKET: notify.path,
      LISTEN_FDNAMES: Object.keys(sockets).join(':'),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const ends = new Map<number, number>();
  let pid = 0;
  const hear = (line: string) => {
    const [, what, who, status] = /^(started|ended) (\d+)(?: (\d+))?$/.exec(line) ?? [];
    if (what === 'started') pid = Number(who);
    else if (what === 'ended') ends.set(Number(who), Number(status));
    else output.push(line);
  };
  for (const stream of [holder.stdout, holder.stderr]) {
    createInterface({ input: stream }).on('line', hear);
  }
  await poll('the sockets to be open', () => output.includes('holding') || failed(holder, output));

  const activated: Activated = {
    get pid() {
      return pid;
    },
    get notified() {
      return notify.messages;
    },
    output: () => output.join('\n'),
    async start() {
      const before = pid;
      const heard = notify.messages.length;
      holder.stdin.write('start\n');
      await poll(
        'READY=1',
        () => {
          if (ends.has(pid) && pid !== before) throw new Error(`it ended:\n${output.join('\n')}`);
          return notify.messages.slice(heard).some(({ READY }) => READY === '1');
        },
        30_000,
      );
    },
    signal: (name) => void process.kill(pid, name),
    ended: async () => {
      await poll('its end', () => ends.has(pid), 60_000);
      return ends.get(pid) ?? -1;
    },
    async restart() {
      activated.signal('SIGTERM');
      await activated.ended();
      await activated.start();
    },
    async close() {
      const gone = once(holder, 'exit');
      holder.stdin.end(); // and with it everything it started
      await gone;
      await notify.close();
    },
  };
  return activated;
}

function failed(holder: ChildProcess, output: readonly string[]): false {
  if (holder.exitCode !== null) throw new Error(output.join('\n'));
  return false;
}
