import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

const run = promisify(execFile);

export interface PostfixOptions {
  /** Where delivered mail goes: the port of a mail catcher. */
  readonly deliverTo: number;
  /** smtpd_milters of every service that does not set its own, such as `inet:127.0.0.1:8893`. */
  readonly milters?: string;
  /** Further lines of main.cf, over the harness's own. */
  readonly main?: Readonly<Record<string, string>>;
  /** smtpd services, each on a port of its own, with their `-o` overrides; one named "smtp" by default. */
  readonly services?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Runs smtpd in a chroot of the queue directory, as Debian does. */
  readonly chroot?: boolean;
}

/** An entry of `postqueue -j`, as far as tests look at it. */
interface QueuedMail {
  readonly queue_name: string;
  readonly queue_id: string;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string; readonly delay_reason?: string }[];
}

/** A private Postfix: its own configuration, queue and ports, nothing of /etc/postfix touched. */
export interface Postfix {
  /** Of its master process. */
  readonly pid: number;
  /** Where a unix-domain milter socket must lie; smtpd's own paths are relative to it. */
  readonly queueDirectory: string;
  /** The port of a service, by default of the first. */
  port(service?: string): number;
  log(): string;
  /** Local submission: Postfix's own sendmail(1) with `message` (LF line ends) on its input. */
  sendmail(message: string, ...args: string[]): Promise<void>;
  queue(): Promise<QueuedMail[]>;
  /** Settles when nothing is queued any more: Postfix forgets a mail some time after it was taken from it. */
  emptied(): Promise<void>;
  /** Names of the files set aside as damaged: mail that is lost to its recipient. */
  corrupt(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts Postfix in the foreground and waits until its services listen. Needs root, as Postfix does. */
export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const postfix = requireProgram('postfix', 'postfix');
  if (process.getuid?.() !== 0) {
    throw new Error('Postfix starts only as root: run the system tests as root (in a container)');
  }
  const dir = await mkdtemp(join(tmpdir(), 'clickmilter-postfix-'));
  // Postfix's daemons give up root for the user "postfix" and must still reach their queue.
  await chmod(dir, 0o755);
  const etc = join(dir, 'etc');
  const queue = join(dir, 'queue');
  await mkdir(etc);
  await mkdir(queue);
  const ports = new Map<string, number>();
  for (const name of Object.keys(options.services ?? { smtp: {} })) {
    ports.set(name, await freePort());
  }
  const first = [...ports.values()][0];
  if (first === undefined) throw new Error('services: at least one is needed');
  await writeFile(join(etc, 'main.cf'), mainCf(dir, options));
  await writeFile(join(etc, 'master.cf'), masterCf(ports, options));

  // "postfix start-fg" keeps its shell between us and the master; this is what it does in the end.
  await run(postfix, ['-c', etc, 'check']);
  const { stdout } = await run(requireProgram('postconf', 'postfix'), ['-h', 'daemon_directory']);
  const master = startPeer(join(stdout.trim(), 'master'), ['-c', etc, '-s', '-d']);
  const log = () => {
    try {
      return readFileSync(join(dir, 'maillog'), 'latin1');
    } catch {
      return '';
    }
  };
  await poll('Postfix to start', () => {
    if (!master.running) throw new Error(`Postfix ended at once:\n${master.output()}${log()}`);
    return /daemon started/.test(log());
  });

  const listQueue = async () => {
    const { stdout } = await run(requireProgram('postqueue', 'postfix'), ['-c', etc, '-j']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as QueuedMail);
  };

  return {
    pid: master.pid,
    queueDirectory: queue,
    port: (service) => {
      const port = service === undefined ? first : ports.get(service);
      if (port === undefined) throw new Error(`${service}: not one of this Postfix's services`);
      return port;
    },
    log,
    sendmail: async (message, ...args) => {
      const running = run(requireProgram('sendmail', 'postfix'), ['-C', etc, ...args]);
      running.child.stdin?.end(message);
      await running;
    },
    queue: listQueue,
    emptied: async () => {
      await poll("Postfix's queue to be empty", async () => (await listQueue()).length === 0);
    },
    corrupt: () => readdir(join(queue, 'corrupt')),
    stop: async () => {
      await master.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function mainCf(dir: string, options: PostfixOptions): string {
  const settings: Record<string, string> = {
    compatibility_level: '3.6',
    queue_directory: join(dir, 'queue'),
    data_directory: join(dir, 'data'),
    maillog_file: join(dir, 'maillog'),
    maillog_file_prefixes: dir,
    myhostname: 'mta.test',
    mydestination: '',
    alias_maps: '',
    local_recipient_maps: '',
    inet_interfaces: '127.0.0.1',
    // Clients come from anywhere by XCLIENT, and every one may relay.
    mynetworks: '0.0.0.0/0, [::]/0',
    smtpd_authorized_xclient_hosts: '127.0.0.1',
    default_transport: `smtp:[127.0.0.1]:${options.deliverTo}`,
    smtp_dns_support_level: 'disabled',
    smtpd_peername_lookup: 'no',
    smtpd_error_sleep_time: '0',
    smtpd_client_connection_count_limit: '0',
    smtputf8_enable: 'yes',
    in_flow_delay: '0',
    smtpd_milters: options.milters ?? '',
    milter_connect_timeout: '10s',
    ...options.main,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return `${lines.join('\n')}\n`;
}

function masterCf(ports: ReadonlyMap<string, number>, options: PostfixOptions): string {
  const jail = options.chroot === true ? 'y' : 'n';
  const smtpd = [...ports].map(([name, port]) => {
    const overrides = Object.entries(options.services?.[name] ?? {});
    const flags = overrides.map(([key, value]) => ` -o ${key}=${value}`).join('');
    return `127.0.0.1:${port} inet n - ${jail} - - smtpd${flags}`;
  });
  return `${smtpd.join('\n')}
postlog unix-dgram n - n - 1 postlogd
pickup  unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
trace   unix - - n - 0 bounce
verify  unix - - n - 1 verify
flush   unix n - n 1000? 0 flush
smtp    unix - - n - - smtp
relay   unix - - n - - smtp
showq   unix n - n - - showq
error   unix - - n - - error
retry   unix - - n - - error
discard unix - - n - - discard
anvil   unix - - n - 1 anvil
scache  unix - - n - 1 scache
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
tlsmgr  unix - - n 1000? 1 tlsmgr
`;
}
