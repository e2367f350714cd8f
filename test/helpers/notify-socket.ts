import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What a service told its supervisor, one entry a datagram, as `{ NAME: value }`. */
export interface NotifySocket {
  readonly path: string;
  readonly messages: Record<string, string>[];
  close(): Promise<void>;
}

// Node has no unix datagram sockets; perl is in every Debian. A datagram becomes one line of JSON. The descriptor
// that comes with BARRIER=1 is dropped by recv, which is what the sender waits for.
const RECEIVER = String.raw`
  use Socket; $| = 1;
  my $s; socket($s, AF_UNIX, SOCK_DGRAM, 0) and bind($s, sockaddr_un($ARGV[0])) or die $!;
  print "bound\n";
  while (defined recv($s, my $m, 65536, 0)) { $m =~ s/\n/\\n/g; print "$m\n" }`;

/** The supervisor's end of sd_notify(3): what systemd would hear. */
export async function openNotifySocket(): Promise<NotifySocket> {
  const folder = mkdtempSync(join(tmpdir(), 'notify-'));
  const path = join(folder, 'notify');
  const receiver = spawn('perl', ['-e', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(receiver, 'exit');
  const lines = createInterface({ input: receiver.stdout });
  await Promise.race([
    once(lines, 'line'),
    ended.then(() => Promise.reject(new Error('perl ended'))),
  ]);

  const messages: Record<string, string>[] = [];
  lines.on('line', (line) => {
    const assignments = line.split('\\n').filter((assignment) => assignment !== '');
    const message = Object.fromEntries(
      assignments.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    );
    if (!('BARRIER' in message)) messages.push(message); // systemd-notify's own synchronisation
  });
  return {
    path,
    messages,
    close: async () => {
      receiver.kill();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}
