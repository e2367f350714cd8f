import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

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
  const receiver = startPeer(requireProgram('perl', 'perl'), ['-e', RECEIVER, path]);
  await poll('the notify socket', () => {
    if (!receiver.running) throw new Error(receiver.output());
    return receiver.stdout().includes('bound');
  });
  return {
    path,
    get messages() {
      const [, ...lines] = receiver.stdout().split('\n').slice(0, -1);
      // BARRIER=1 is systemd-notify's own synchronisation.
      return lines.map(messageOf).filter((message) => !('BARRIER' in message));
    },
    async close() {
      await receiver.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

function messageOf(line: string): Record<string, string> {
  const assignments = line.split('\\n').filter((assignment) => assignment !== '');
  return Object.fromEntries(
    assignments.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
  );
}
