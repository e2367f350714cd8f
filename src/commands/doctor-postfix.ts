import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Configuration } from '../config/configuration.ts';
import { userId } from '../process/user-ids.ts';
import { type Finding, Findings, messageOf } from './doctor-finding.ts';
import { type Milter, parseMilters, seconds } from './postfix-milters.ts';

const run = promisify(execFile);

/** What looks like a signer: its port or its path. */
const SIGNER = /dkim|rspamd|amavis|:8891$|:11332$/i;

/** Where only this host can come in, as a content filter does with what it has seen. */
const LOOPBACK = /^(127\.[\d.]+|localhost|\[?::1\]?):/;

/** An smtpd of master.cf. */
interface Service {
  /** As master.cf has it, e.g. `smtp/inet`. */
  readonly name: string;
  readonly chroot: boolean;
  /** Whether its mail goes through a content filter next. */
  readonly filtered: boolean;
  /** None where it may not ask any. */
  readonly milters: readonly Milter[];
  readonly defaultAction: string;
  /** Whether master.cf says so itself, over main.cf. */
  readonly own: boolean;
}

/** Postfix's own settings: whether it asks us, in the right order, and loses nothing when we are away. */
export async function examinePostfix(
  config: Configuration,
  folder?: string,
): Promise<readonly Finding[]> {
  const findings = new Findings('postfix');
  const postconf = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await run('postconf', [
      ...(folder === undefined ? [] : ['-c', folder]),
      ...args,
    ]);
    return stdout.split('\n').filter((line) => line !== '');
  };
  try {
    await postconf('-h', 'mail_version');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (missing) findings.ok('there is no Postfix here');
    else findings.error(`postconf: ${messageOf(error)}`);
    return findings.list;
  }
  const settings = await readSettings(postconf);
  const services = await readServices(postconf, settings);
  const ours = await placesOf(config, settings);
  examineServices(findings, services, ours, settings['smtpd_milters'] ?? '');
  examineLocalMail(findings, settings, ours);
  examineTimes(findings, settings, config);
  await examineSockets(findings, config);
  return findings.list;
}

type Settings = Readonly<Record<string, string>>;
type Postconf = (...args: string[]) => Promise<string[]>;

async function readSettings(postconf: Postconf): Promise<Settings> {
  const names = [
    'smtpd_milters',
    'non_smtpd_milters',
    'receive_override_options',
    'content_filter',
    'milter_default_action',
    'milter_protocol',
    'milter_command_timeout',
    'milter_content_timeout',
    'queue_directory',
  ];
  // -x: with what $name stands for.
  const lines = await postconf('-x', ...names);
  return Object.fromEntries(lines.map((line) => line.split(/ = ?/, 2) as [string, string]));
}

async function readServices(postconf: Postconf, settings: Settings): Promise<Service[]> {
  const overrides = new Map<string, string>();
  for (const line of await postconf('-Px')) {
    const [, name, value = ''] = /^(\S+) = ?(.*)$/.exec(line) ?? [];
    if (name !== undefined) overrides.set(name, value);
  }
  const services: Service[] = [];
  for (const line of await postconf('-M')) {
    const [service, type, , , chroot, , , command] = line.split(/\s+/);
    if (command !== 'smtpd') continue;
    const name = `${service}/${type}`;
    const setting = (option: string) =>
      overrides.get(`${name}/${option}`) ?? settings[option] ?? '';
    const asks = !setting('receive_override_options').includes('no_milters');
    services.push({
      name,
      chroot: chroot === 'y',
      filtered: setting('content_filter') !== '',
      milters: asks ? parseMilters(setting('smtpd_milters')) : [],
      defaultAction: setting('milter_default_action'),
      own: asks && overrides.has(`${name}/smtpd_milters`),
    });
  }
  return services;
}

/** How Postfix would call our listeners: outside of a chroot, and inside of it. */
interface Places {
  readonly open: ReadonlySet<string>;
  readonly chrooted: ReadonlySet<string>;
}

async function placesOf(config: Configuration, settings: Settings): Promise<Places> {
  const queue = settings['queue_directory'] ?? '';
  const open = new Set<string>();
  const chrooted = new Set<string>();
  for (const address of config.milter.listen) {
    if ('path' in address) {
      open.add(`unix:${address.path}`);
      if (!address.path.startsWith(`${queue}/`)) continue;
      const below = address.path.slice(queue.length + 1);
      // A path without a slash in front starts at the queue folder.
      open.add(`unix:${below}`);
      chrooted.add(`unix:${below}`).add(`unix:/${below}`);
    } else {
      for (const host of namesOf(address.host)) {
        open.add(`inet:${host}:${address.port}`);
        chrooted.add(`inet:${host}:${address.port}`);
      }
    }
  }
  return { open, chrooted };
}

/** What a listener on this host may be called by whoever is on it as well. */
function namesOf(host = '::'): readonly string[] {
  if (host === '0.0.0.0' || host === '::') return ['127.0.0.1', 'localhost', '::1'];
  return host === '::1' || host.startsWith('127.') ? [host, 'localhost'] : [host];
}

/** A place as it is written in main.cf. */
function written(place: string): string {
  return place.replace(/^inet:(.*:.*):(\d+)$/, 'inet:[$1]:$2');
}

function examineServices(
  findings: Findings,
  services: readonly Service[],
  ours: Places,
  present: string,
): void {
  const [example = ''] = [...ours.chrooted, ...ours.open];
  let asking = 0;
  let asksBeforeFilter = false;
  const behindFilter: string[] = [];
  for (const { name, chroot, filtered, milters, defaultAction, own } of services) {
    const index = milters.findIndex(({ place }) => (chroot ? ours.chrooted : ours.open).has(place));
    const milter = milters[index];
    if (milter === undefined) {
      const unreachable = chroot && milters.find(({ place }) => ours.open.has(place));
      if (unreachable) {
        findings.error(
          `${name}: smtpd runs in a chroot and cannot reach ${unreachable.place}: Listen at a path in the queue folder, and name it without that folder`,
        );
      } else if (own) {
        findings.warning(
          `${name}: its own smtpd_milters in master.cf do not name us; its mail is not tracked`,
        );
      }
      continue;
    }
    asking++;
    if (filtered) asksBeforeFilter = true;
    else if (LOOPBACK.test(name)) behindFilter.push(name);
    const signer = milters.slice(0, index).find(({ place }) => SIGNER.test(place));
    if (signer !== undefined) {
      findings.error(
        `${name}: ${signer.place} comes before ${milter.place}: if it signs (DKIM), the links change after the signature; name us first`,
      );
    }
    const action = milter.settings['default_action'] ?? defaultAction;
    if (action === 'accept') {
      findings.error(
        `${name}: default_action=accept can lose a message when the milter ends in the middle of it: use tempfail`,
      );
    } else if (!['tempfail', 'shutdown'].includes(action)) {
      findings.warning(
        `${name}: default_action=${action} turns mail away while the milter restarts: use tempfail`,
      );
    }
  }
  for (const name of asksBeforeFilter ? behindFilter : []) {
    findings.warning(
      `${name}: what the content filter hands back here passes us a second time, as mail of this host: -o receive_override_options=no_milters`,
    );
  }
  if (asking === 0 && parseMilters(present).some(({ place }) => ours.open.has(place))) {
    findings.error(
      'no smtpd asks us, although smtpd_milters names us: see smtpd_milters and receive_override_options in master.cf',
    );
  } else if (asking === 0) {
    const all = [`{${written(example)}, default_action=tempfail}`, present]
      .filter((one) => one !== '')
      .join(', ');
    findings.error(`no smtpd asks us: postconf -e 'smtpd_milters = ${all}' && postfix reload`);
  } else {
    findings.ok(`${asking} of ${services.length} smtpd services ask us`);
  }
}

function examineLocalMail(findings: Findings, settings: Settings, ours: Places): void {
  const milters = parseMilters(settings['non_smtpd_milters'] ?? '');
  const asked = milters.some(({ place }) => ours.open.has(place) || ours.chrooted.has(place));
  findings.ok(
    asked
      ? 'mail handed to sendmail(1) on this machine passes us'
      : 'mail handed to sendmail(1) on this machine does not pass us (non_smtpd_milters)',
  );
}

function examineTimes(findings: Findings, settings: Settings, config: Configuration): void {
  const store = config.linkStore === 'redis' ? config.redis.commandTimeoutMs / 1000 : 0;
  const content = seconds(settings['milter_content_timeout'] ?? '');
  if (content < store + 10) {
    findings.warning(
      `milter_content_timeout is ${content} s: Postfix may give up on a large message, or while we wait ${store} s for Redis; its default is 300s`,
    );
  }
  const command = seconds(settings['milter_command_timeout'] ?? '');
  if (command < 5) findings.warning(`milter_command_timeout is ${command} s; its default is 30s`);
  const protocol = settings['milter_protocol'] ?? '';
  if (!protocol.startsWith('6')) {
    findings.warning(
      `milter_protocol is ${protocol}: macros cannot be asked for; its default is 6`,
    );
  }
}

/** Postfix runs as its own user, who must be allowed to write to the socket. */
async function examineSockets(findings: Findings, config: Configuration): Promise<void> {
  for (const address of config.milter.listen) {
    if (!('path' in address)) continue;
    try {
      const { mode, uid, gid } = await stat(address.path);
      const postfix = userId('postfix');
      const { stdout } = await run('id', ['-G', 'postfix']);
      const groups = stdout.trim().split(' ').map(Number);
      const may = uid === postfix ? 0o200 : groups.includes(gid) ? 0o020 : 0o002;
      if ((mode & may) === 0) {
        findings.error(
          `the user postfix may not write to ${address.path} (mode ${(mode & 0o777).toString(8)}): File_Mode = 0660 and File_Group = postfix, or SocketGroup=postfix where systemd opens it`,
        );
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') findings.warning(messageOf(error));
    }
  }
}
