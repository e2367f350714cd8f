import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Configuration } from '../config/configuration.ts';
import { reasonOf } from '../lib/logger.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { milterElsewhere } from './doctor-listeners.ts';
import { looksLikeSigner, wasOurs, whyNotReached } from './doctor-milters.ts';
import { placesOf } from './postfix-configuration.ts';
import {
  parseSendmailCf,
  type SendmailDaemon,
  type SendmailFilter,
  type SendmailSettings,
} from './sendmail-configuration.ts';

const APPLY = 'run make -C /etc/mail, and restart Sendmail';

/**
 * Examines Sendmail's settings, where it runs: whether all that it listens at uses clickmilter,
 * before the milter that signs; what it does with mail while clickmilter is away; whether it may
 * open the milters' sockets; and whether its other milters answer.
 */
export async function examineSendmail(
  config: Configuration,
  file = '/etc/mail/sendmail.cf',
): Promise<readonly Finding[]> {
  const findings = new Findings('sendmail');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') findings.error(reasonOf(error));
    return findings.list;
  }
  const settings = parseSendmailCf(text);
  const { filters, daemons } = settings;
  const { open } = placesOf(config, {});
  const ours = filters.find(({ place }) => open.has(place));
  if (!(await isRunning(settings.pidFile))) {
    // The configuration may be what a Sendmail that was removed has left.
    if (ours === undefined) {
      findings.ok(`${file}: Sendmail is not running`);
    } else {
      findings.warning(`${file}: Sendmail is not running, and its mail would use clickmilter`);
      examineNames(findings, settings);
    }
    return findings.list;
  }
  await examineAge(findings, file, settings.pidFile);
  if (ours === undefined) {
    const elsewhere = await milterElsewhere(config);
    // Sendmail would defer all mail if it asked where nobody listens.
    findings.error(
      elsewhere === undefined
        ? `${file}: ${adviceToAsk([...open], filters)}`
        : `${file}: no milter has an address where the configuration says that clickmilter listens: ${elsewhere}`,
    );
  } else {
    examineDaemons(findings, file, ours, settings);
    await examineFolders(findings, ours, settings);
    if (config.macros.longNames) {
      findings.error('long_names = on makes Sendmail refuse all mail: switch it off (macros)');
    }
  }
  const asked = new Set(daemons.flatMap(({ asks }) => asks));
  const others = filters.filter((one) => one !== ours && asked.has(one.name));
  await tryFilters(
    findings,
    ours === undefined ? others.filter((one) => !isMeantForUs(one)) : others,
  );
  return findings.list;
}

/** Sendmail does not start with such a name; one that runs has read an earlier file. */
function examineNames(findings: Findings, { filters, daemons }: SendmailSettings): void {
  const names = new Set(daemons.flatMap(({ asks }) => asks));
  for (const { name } of filters) names.delete(name);
  for (const name of names) {
    findings.error(
      `InputMailFilters names ${name}, which no INPUT_MAIL_FILTER defines: Sendmail does not start`,
    );
  }
}

/** Sendmail reads its file when it starts, which is when it writes its process id. */
async function examineAge(findings: Findings, file: string, pidFile: string): Promise<void> {
  const source = file.replace(/cf$/, 'mc');
  const [made, edited, started] = await Promise.all([file, source, pidFile].map(modified));
  if (made === undefined) return;
  if (edited !== undefined && edited > made) {
    findings.warning(`${source} changed after ${file} was made from it: ${APPLY}`);
  } else if (started !== undefined && made > started) {
    findings.warning(`${file} changed after Sendmail started: restart Sendmail`);
  }
}

async function modified(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

/** What to do where no milter of sendmail.cf has an address of clickmilter. */
function adviceToAsk(open: readonly string[], filters: readonly SendmailFilter[]): string {
  const [place = ''] = open;
  const wrong = filters.find(isMeantForUs);
  if (wrong !== undefined) {
    return `${wrong.name} has S=${written(wrong.place)}, where clickmilter does not listen: write S=${written(place)} in sendmail.mc, ${APPLY}`;
  }
  return `Sendmail does not use clickmilter: add ${mailFilterLine(place)} to sendmail.mc, ${APPLY}`;
}

function isMeantForUs({ name, place }: SendmailFilter): boolean {
  return name === 'clickmilter' || wasOurs(place);
}

/** The line of sendmail.mc that lists clickmilter. */
export function mailFilterLine(place: string): string {
  return `INPUT_MAIL_FILTER(\`clickmilter', \`S=${written(place)}, F=T, T=C:30s;S:30s;R:60s;E:5m')`;
}

/** Writes an address as in sendmail.mc. */
function written(place: string): string {
  return place
    .replace(/^inet:(.*:.*):(\d+)$/, 'inet6:$2@$1')
    .replace(/^inet:(.*):(\d+)$/, 'inet:$2@$1');
}

function examineDaemons(
  findings: Findings,
  file: string,
  ours: SendmailFilter,
  { filters, daemons }: SendmailSettings,
): void {
  const asking = daemons.filter(({ asks }) => asks.includes(ours.name));
  if (asking.length === 0) {
    findings.error(`${file}: ${ours.name} is defined, but InputMailFilters does not name it`);
    return;
  }
  findings.ok(`${asking.length} of ${daemons.length} daemons of Sendmail use clickmilter`);
  for (const { name, own } of daemons.filter((one) => !asking.includes(one))) {
    findings.warning(
      own === undefined
        ? `${name}: InputMailFilters does not name ${ours.name}: its mail is not tracked`
        : `${name}: its own InputMailFilters (I=${own}) in DAEMON_OPTIONS do not name ${ours.name}: its mail is not tracked`,
    );
  }
  const signers = new Set(asking.flatMap((daemon) => signerBefore(ours, daemon, filters) ?? []));
  for (const signer of signers) {
    findings.error(
      `${signer} comes before ${ours.name} in InputMailFilters: if it signs (DKIM), the links change after the signature; define ${ours.name} first in sendmail.mc`,
    );
  }
  examineFlags(findings, ours);
}

/** The name of a milter that may sign, and that the daemon asks before ours. */
function signerBefore(
  ours: SendmailFilter,
  { asks }: SendmailDaemon,
  filters: readonly SendmailFilter[],
): string | undefined {
  const before = asks.slice(0, asks.indexOf(ours.name));
  return before.find((name) => {
    const place = filters.find((one) => one.name === name)?.place;
    return looksLikeSigner(`${name} ${place}`);
  });
}

function examineFlags(findings: Findings, { name, flags }: SendmailFilter): void {
  if (!/[TR4]/.test(flags)) {
    findings.warning(`${name}: without F=T mail passes untracked while the milter is away`);
  } else if (flags.includes('R')) {
    findings.warning(`${name}: F=R refuses mail while the milter restarts: use F=T`);
  }
}

/** Sendmail opens no socket below a folder in which others could replace it. */
async function examineFolders(
  findings: Findings,
  { name, place }: SendmailFilter,
  { allowed }: SendmailSettings,
): Promise<void> {
  if (!place.startsWith('unix:')) return;
  const others = allowed.includes('groupwritabledirpathsafe') ? 0o002 : 0o022;
  // With the sticky bit nobody can replace what is another's.
  const trusted = allowed.includes('truststickybit') ? 0o1000 : 0;
  for (let path = dirname(place.slice(5)); ; path = dirname(path)) {
    const { mode } = await stat(path).catch(() => ({ mode: 0 }));
    if ((mode & others) !== 0 && (mode & trusted) === 0) {
      findings.error(
        `${name}: Sendmail does not use a socket below ${path}, to which others may write (mode ${(mode & 0o777).toString(8)}): chmod go-w ${path}`,
      );
    }
    if (path === dirname(path)) return;
  }
}

/** Tries the other milters: one that does not answer may hold up or refuse all mail. */
async function tryFilters(findings: Findings, others: readonly SendmailFilter[]): Promise<void> {
  const tried = others.map(async ({ name, place, flags }) => {
    const reason = await whyNotReached(place);
    if (reason === undefined) return;
    const old = wasOurs(place) ? ', and clickmilter does not listen there: remove it' : '';
    const fact = `${name}: ${place} does not answer (${reason})${old}`;
    const refuses = /[TR4]/.exec(flags)?.[0];
    if (refuses === undefined) findings.warning(`${fact}; mail passes it by`);
    else findings.error(`${fact}; meanwhile F=${refuses} applies to all mail`);
  });
  await Promise.all(tried);
}

/** Whether the process runs that has written its id into the file. */
async function isRunning(pidFile: string): Promise<boolean> {
  try {
    process.kill(Number.parseInt(await readFile(pidFile, 'utf8'), 10), 0);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It may be another user's process or file.
    return code === 'EPERM' || code === 'EACCES';
  }
}
