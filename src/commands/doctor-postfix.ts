import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Configuration } from '../config/configuration.ts';
import { reasonOf } from '../lib/logger.ts';
import { userId } from '../service/listen.ts';
import { storeBackend } from '../store/open-store.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { milterElsewhere } from './doctor-listeners.ts';
import { looksLikeSigner, wasOurs, whyNotReached } from './doctor-milters.ts';
import {
  type Milter,
  type Places,
  parseMilters,
  placesOf,
  readServices,
  readSettings,
  type Service,
  type Settings,
  seconds,
  written,
} from './postfix-configuration.ts';
import { refusedTo, systemUser } from './service-user.ts';

const run = promisify(execFile);
/** Where only this host can come in, as a content filter does with what it has seen. */
const LOOPBACK = /^(127\.[\d.]+|localhost|\[?::1\]?):/;

/**
 * Examines Postfix's settings: whether it uses clickmilter, in the right order, and loses no mail
 * while clickmilter is away.
 */
export async function examinePostfix(
  config: Configuration,
  folder?: string,
): Promise<readonly Finding[]> {
  const findings = new Findings('postfix');
  const instance = folder === undefined ? [] : ['-c', folder];
  const postconf = async (...args: string[]): Promise<string[]> => {
    const { stdout } = await run('postconf', [...instance, ...args]);
    return stdout.split('\n').filter((line) => line !== '');
  };
  try {
    await postconf('-h', 'mail_version');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (missing) findings.ok('Postfix is not installed here');
    else findings.error(postconfFailed(error, folder));
    return findings.list;
  }
  const settings = await readSettings(postconf);
  const services = await readServices(postconf, settings);
  const ours = placesOf(config, settings);
  // A command without the folder would change another instance of Postfix.
  const command: PostfixCommand = (name, args) => [name, ...instance, args].join(' ');
  await examineMaster(findings, settings, command);
  const elsewhere = await milterElsewhere(config);
  examineServices(findings, services, ours, () =>
    // Postfix would defer all mail if it asked where nobody listens.
    elsewhere === undefined
      ? adviceToAsk(ours, services, settings['smtpd_milters'] ?? '', command)
      : `no smtpd uses clickmilter where the configuration says that it listens: ${elsewhere}`,
  );
  await tryMilters(findings, services, settings, ours);
  examineLocalMail(findings, settings, ours);
  examineTimes(findings, settings, config);
  await examineSockets(findings, config);
  return findings.list;
}

function examineServices(
  findings: Findings,
  services: readonly Service[],
  ours: Places,
  adviceToAsk: () => string,
): void {
  const all = services.filter((service) => examineService(findings, service, ours));
  const asking = all.filter(({ proxied }) => !proxied);
  for (const { name } of all.filter(({ proxied }) => proxied)) {
    const message = `${name}: smtpd_proxy_filter forwards mail before milters see its content`;
    if (asking.length > 0) findings.ok(`${message}; the smtpd behind the filter uses clickmilter`);
    else
      findings.error(`${message}: add clickmilter to smtpd_milters of the smtpd behind the filter`);
  }
  if (asking.some(({ filtered }) => filtered)) {
    for (const { name } of asking.filter((one) => !one.filtered && LOOPBACK.test(one.name))) {
      findings.warning(
        `${name}: mail that the content filter returns here is filtered by clickmilter twice: set -o receive_override_options=no_milters`,
      );
    }
  }
  if (asking.length > 0) {
    findings.ok(`${asking.length} of ${services.length} smtpd services use clickmilter`);
  } else if (services.length === 0) {
    findings.warning(
      'no smtpd service is enabled in master.cf (see also master_service_disable in main.cf)',
    );
  } else if (all.length === 0 && !services.some(({ mapped }) => mapped)) {
    findings.error(adviceToAsk());
  }
}

/** Whether the service uses clickmilter, according to smtpd_milters. */
function examineService(findings: Findings, service: Service, ours: Places): boolean {
  const { name, chroot, milters, mapped, own } = service;
  if (mapped) {
    findings.warning(
      `${name}: smtpd_milter_maps overrides smtpd_milters for the clients it lists: for those whose mail is to be tracked, it must name clickmilter and not DISABLE`,
    );
  }
  const index = milters.findIndex(({ place }) => (chroot ? ours.chrooted : ours.open).has(place));
  const milter = milters[index];
  if (milter !== undefined) {
    examineMilter(findings, service, milter, milters.slice(0, index));
    return true;
  }
  const unreachable = chroot && milters.find(({ place }) => ours.open.has(place));
  if (unreachable) {
    findings.error(whyNotInChroot(service, unreachable.place));
  } else if (own && !mapped) {
    findings.warning(
      `${name}: its own smtpd_milters in master.cf do not name clickmilter: its mail is not tracked`,
    );
  }
  return false;
}

function examineMilter(
  findings: Findings,
  { name, defaultAction }: Service,
  milter: Milter,
  before: readonly Milter[],
): void {
  const signer = before.find(({ place }) => looksLikeSigner(place));
  if (signer !== undefined) {
    findings.error(
      `${name}: ${signer.place} comes before ${milter.place}: if it signs (DKIM), the links change after the signature; list clickmilter first`,
    );
  }
  const action = milter.settings['default_action'] ?? defaultAction;
  if (action === 'accept') {
    findings.error(
      `${name}: default_action=accept can lose a message when the milter dies in the middle of it: use tempfail`,
    );
  } else if (!['tempfail', 'shutdown'].includes(action)) {
    findings.warning(
      `${name}: default_action=${action} refuses mail while the milter restarts: use tempfail`,
    );
  }
}

/** Writes a command for the instance of Postfix that is examined. */
type PostfixCommand = (name: 'postconf' | 'postfix', args: string) => string;

/** What to do where no smtpd uses clickmilter. */
function adviceToAsk(
  ours: Places,
  services: readonly Service[],
  present: string,
  command: PostfixCommand,
): string {
  if (parseMilters(present).some(({ place }) => ours.open.has(place))) {
    return 'no smtpd uses clickmilter, although smtpd_milters names it: see smtpd_milters and receive_override_options in master.cf';
  }
  const chrooted = services.find(({ chroot }) => chroot);
  if (ours.chrooted.size === 0 && chrooted !== undefined) {
    const [place = ''] = ours.open;
    return `no smtpd uses clickmilter: ${whyNotInChroot(chrooted, place)}`;
  }
  const [example = ''] = [...ours.chrooted, ...ours.open];
  // With a former address of clickmilter, Postfix would defer all mail.
  const others = parseMilters(present).filter(({ place }) => !wasOurs(place));
  const all = [`{${written(example)}, default_action=tempfail}`, ...others.map(({ text }) => text)];
  const set = command('postconf', `-e 'smtpd_milters = ${all.join(', ')}'`);
  return `no smtpd uses clickmilter: ${set} && ${command('postfix', 'reload')}`;
}

function whyNotInChroot({ name }: Service, place: string): string {
  return `${name}: smtpd runs in a chroot and cannot reach ${place}: Listen on a path in the queue directory, and name it without that directory`;
}

/** Whether Postfix runs: its master writes its process id into the queue folder. */
async function examineMaster(
  findings: Findings,
  settings: Settings,
  command: PostfixCommand,
): Promise<void> {
  const file = join(settings['queue_directory'] ?? '', 'pid/master.pid');
  let pid: number;
  try {
    pid = Number(await readFile(file, 'utf8'));
    process.kill(pid, 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM: it runs as another user.
    if (code === 'ENOENT' || code === 'ESRCH') {
      findings.warning(`Postfix is not running: ${command('postfix', 'start')}`);
    }
  }
}

/**
 * Tries every milter that Postfix asks: one that is not there applies to all mail by its
 * default_action. Ours are tried with the service.
 */
async function tryMilters(
  findings: Findings,
  services: readonly Service[],
  settings: Settings,
  ours: Places,
): Promise<void> {
  const asked = new Map<string, { readonly where: string; readonly action: string }>();
  const add = (where: string, defaultAction: string, milters: readonly Milter[]) => {
    for (const { place, settings: own } of milters) {
      if (ours.open.has(place) || ours.chrooted.has(place) || asked.has(place)) continue;
      asked.set(place, { where, action: own['default_action'] ?? defaultAction });
    }
  };
  for (const { name, milters, defaultAction } of services) add(name, defaultAction, milters);
  add(
    'non_smtpd_milters',
    settings['milter_default_action'] ?? '',
    parseMilters(settings['non_smtpd_milters'] ?? ''),
  );
  const tried = [...asked].map(async ([place, { where, action }]) => {
    const reason = await whyNotReached(place, settings['queue_directory'] ?? '');
    if (reason === undefined) return;
    const old = wasOurs(place) ? ', and clickmilter does not listen there: remove it' : '';
    findings.error(
      `${where}: ${place} does not answer (${reason})${old}; meanwhile default_action=${action} applies to all mail`,
    );
  });
  await Promise.all(tried);
}

/** What postconf(1) said on its last line. */
function postconfFailed(error: unknown, folder: string | undefined): string {
  const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
  const expected = folder === undefined ? '' : '; --postfix takes the folder of main.cf';
  return `${said || `postconf: ${reasonOf(error)}`}${expected}`;
}

function examineLocalMail(findings: Findings, settings: Settings, ours: Places): void {
  const milters = parseMilters(settings['non_smtpd_milters'] ?? '');
  const asked = milters.some(({ place }) => ours.open.has(place) || ours.chrooted.has(place));
  findings.ok(
    asked
      ? 'mail from sendmail(1) on this machine passes clickmilter'
      : 'mail from sendmail(1) on this machine does not pass clickmilter (non_smtpd_milters)',
  );
}

function examineTimes(findings: Findings, settings: Settings, config: Configuration): void {
  const store = storeBackend(config).saveTimeoutMs(config) / 1000;
  const content = seconds(settings['milter_content_timeout'] ?? '');
  if (content < store + 10) {
    findings.warning(
      `milter_content_timeout is ${content} s: Postfix may give up on a large message, or while clickmilter waits ${store} s for Redis; its default is 300s`,
    );
  }
  const command = seconds(settings['milter_command_timeout'] ?? '');
  if (command < 5) findings.warning(`milter_command_timeout is ${command} s; its default is 30s`);
  const protocol = settings['milter_protocol'] ?? '';
  if (!protocol.startsWith('6')) {
    findings.warning(
      `milter_protocol is ${protocol}: clickmilter cannot ask for macros; its default is 6`,
    );
  }
}

/** Postfix runs as its own user, who must be allowed to write to the socket. */
async function examineSockets(findings: Findings, config: Configuration): Promise<void> {
  for (const address of config.milter.listen) {
    if (!('path' in address)) continue;
    try {
      const { mode, uid, gid } = await stat(address.path);
      const obstacle = await folderInTheWay(address.path);
      if (obstacle !== undefined) {
        findings.error(
          `the user postfix cannot enter ${obstacle}, and so cannot reach ${address.path}: chmod a+x ${obstacle}`,
        );
        continue;
      }
      const postfix = userId('postfix');
      const { stdout } = await run('id', ['-G', 'postfix']);
      const groups = stdout.trim().split(' ').map(Number);
      const may = uid === postfix ? 0o200 : groups.includes(gid) ? 0o020 : 0o002;
      if ((mode & may) === 0) {
        findings.error(
          `the user postfix may not write to ${address.path} (mode ${(mode & 0o777).toString(8)}): file_mode = 0660 and file_group = postfix, or SocketGroup=postfix where systemd opens it`,
        );
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') findings.warning(reasonOf(error));
    }
  }
}

/** The folder above a socket that Postfix's user may not enter; found by root only. */
async function folderInTheWay(path: string): Promise<string | undefined> {
  const postfix = await systemUser('postfix');
  const obstacle = postfix && (await refusedTo(postfix, [path])).get(path);
  return obstacle === path ? undefined : obstacle;
}
