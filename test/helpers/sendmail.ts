import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

/** Where install-peers.sh unpacks Debian's package, which cannot be installed beside Postfix. */
const program = join(import.meta.dirname, '../../.cache/sendmail/usr/libexec/sendmail/sendmail');

export interface SendmailOptions {
  /** Where delivered mail goes: the port of a mail catcher. */
  readonly deliverTo: number;
  /** The equates of INPUT_MAIL_FILTER, such as `S=inet:8893@127.0.0.1, F=T, T=S:10s;R:10s;E:5m`. */
  readonly milter?: string;
  /** Further lines of sendmail.cf, such as `O MaxMessageSize=1000`. */
  readonly conf?: string;
}

/** A private Sendmail daemon, of its own configuration, queue and port. */
export interface Sendmail {
  readonly port: number;
  /** Its sendmail.cf. */
  readonly file: string;
  /** The SMTP and delivery dialogues since the start. */
  log(): string;
  /** Names of the files in the queue. */
  queue(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts Sendmail in the foreground and waits until it listens. Needs root, as Sendmail's daemon does. */
export async function startSendmail(options: SendmailOptions): Promise<Sendmail> {
  try {
    accessSync(program, constants.X_OK);
  } catch {
    throw new Error(`Sendmail is missing (${program}): run "sh test/install-peers.sh"`);
  }
  if (process.getuid?.() !== 0) {
    throw new Error('Sendmail starts only as root: run the system tests as root (in a container)');
  }
  const dir = await mkdtemp(join(tmpdir(), 'clickmilter-sendmail-'));
  const port = await freePort();
  await mkdir(join(dir, 'queue'), { mode: 0o700 });
  await writeFile(join(dir, 'service.switch'), 'hosts files\npasswd files\naliases files\n');
  const configuration = join(dir, 'sendmail.cf');
  await writeFile(configuration, sendmailCf(dir, port, options));

  const daemon = [program, '-bD', '-C', configuration, '-X', join(dir, 'dialogue')];
  const [file, ...args] = withQualifiedHostName(daemon);
  const peer = startPeer(file, args);
  await poll('Sendmail to start', async () => {
    if (peer.running) return (await readdir(dir)).includes('sendmail.pid');
    await rm(dir, { recursive: true });
    throw new Error(`Sendmail ended at once:\n${peer.output()}`);
  });

  return {
    port,
    file: configuration,
    log: () => peer.output() + readFileSync(join(dir, 'dialogue'), 'latin1'),
    queue: () => readdir(join(dir, 'queue')),
    stop: async () => {
      await peer.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/**
 * Sendmail sleeps for a minute where the host's name has no dot and no address. Where the kernel lets us, it
 * gets a name of its own; elsewhere (a container without that privilege) the host's has to do.
 */
function withQualifiedHostName(command: readonly string[]): [string, ...string[]] {
  const unshare = requireProgram('unshare', 'util-linux');
  try {
    execFileSync(unshare, ['--uts', 'true'], { stdio: 'ignore' });
  } catch {
    return ['env', ...command];
  }
  return [unshare, '--uts', 'sh', '-c', 'hostname mta.test; exec "$0" "$@"', ...command];
}

/** What m4 makes of a sendmail.mc, cut down to relaying every address to the catcher, untouched. */
function sendmailCf(dir: string, port: number, options: SendmailOptions): string {
  const milter =
    options.milter === undefined
      ? ''
      : `Xclickmilter, ${options.milter}
O InputMailFilters=clickmilter
O Milter.macros.connect=j, _, {daemon_name}, {if_name}, {if_addr}
O Milter.macros.helo={tls_version}, {cipher}, {cipher_bits}, {cert_subject}, {cert_issuer}
O Milter.macros.envfrom=i, {auth_type}, {auth_authen}, {auth_ssf}, {auth_author}, {mail_mailer}, {mail_host}, {mail_addr}
O Milter.macros.envrcpt={rcpt_mailer}, {rcpt_host}, {rcpt_addr}
O Milter.macros.eom={msg_id}
`;
  return `V10/Berkeley
Djmta.test
Dnmailer-daemon
Troot
O QueueDirectory=${join(dir, 'queue')}
O DaemonPortOptions=Name=MTA, Addr=127.0.0.1, Port=${port}
O PidFile=${join(dir, 'sendmail.pid')}
O ServiceSwitchFile=${join(dir, 'service.switch')}
O Timeout.ident=0
O DeliveryMode=background
O SuperSafe=True
O EightBitMode=pass8
O DefaultUser=65534:65534
O TempFileMode=0600
O OperatorChars=.:%@!^/[]+
O ConnectionRateThrottle=0
O RefuseLA=10000
O QueueLA=10000
${options.conf ?? ''}
${milter}H?P?Return-Path: <$g>
HReceived: $?sfrom $s $.$?_($?s$|from $.$_)
	$.by $j ($v)$?r with $r$. id $i; $b
H?D?Date: $a
H?F?From: $?x$x <$g>$|$g$.
H?M?Message-Id: <$t.$i@$j>
S3
R$@		<@>
R$* < $* > $*	$2
S0
R<@>		$#error $: 553 null
R$+		$#relay $@ [127.0.0.1] $: $1
S4
R<@>		$@
Mlocal, P=/bin/false, F=l, S=0, R=0, A=false
Mprog, P=/bin/false, F=l, S=0, R=0, A=false
Mrelay, P=[IPC], F=mDFMuXa8k, S=0, R=0, E=\\r\\n, L=2040, T=DNS/RFC822/SMTP, A=TCP $h ${options.deliverTo}
`;
}
