import { readFile } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';
import { reasonOf } from '../lib/logger.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { looksLikeSigner, wasOurs, whyNotReached } from './doctor-milters.ts';
import { parseMilters, placesOf } from './postfix-configuration.ts';

/** A milter of sendmail.cf: `Xclickmilter, S=unix:/run/x.sock, F=T, T=S:30s`. */
interface SendmailFilter {
  readonly name: string;
  readonly place: string;
  /** F=: `T` defers mail while it is away, `R` refuses it; absent lets it pass. */
  readonly flags: string;
}

/**
 * Examines Sendmail's settings, where it runs: whether it uses clickmilter, before the milter that
 * signs; what it does with mail while clickmilter is away; and whether its other milters answer.
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
  const { open } = placesOf(config, {});
  const filters = filtersOf(text);
  const names =
    [...text.matchAll(/^O InputMailFilters=(.*)$/gm)].at(-1)?.[1]?.split(/[\s,]+/) ?? [];
  const asked = names.flatMap((name) => filters.find((filter) => filter.name === name) ?? []);
  const ours = filters.find(({ place }) => open.has(place));
  if (!(await isRunning(text))) {
    // The configuration may be what a Sendmail that was removed has left.
    if (ours === undefined) findings.ok(`${file}: Sendmail is not running`);
    else findings.warning(`${file}: Sendmail is not running, and its mail would use clickmilter`);
    return findings.list;
  }
  if (ours === undefined) {
    findings.error(
      `${file}: no milter has an address where clickmilter listens; the README has the line for sendmail.mc`,
    );
  } else if (!asked.includes(ours)) {
    findings.error(`${file}: ${ours.name} is defined, but InputMailFilters does not name it`);
  } else {
    findings.ok('Sendmail uses clickmilter');
    examineOurs(findings, ours, asked.slice(0, asked.indexOf(ours)));
  }
  await tryFilters(
    findings,
    asked.filter((filter) => filter !== ours),
  );
  return findings.list;
}

function examineOurs(
  findings: Findings,
  { name, flags }: SendmailFilter,
  before: readonly SendmailFilter[],
): void {
  const signer = before.find((one) => looksLikeSigner(`${one.name} ${one.place}`));
  if (signer !== undefined) {
    findings.error(
      `${signer.name} comes before ${name} in InputMailFilters: if it signs (DKIM), the links change after the signature; define ${name} first in sendmail.mc`,
    );
  }
  if (!/[TR4]/.test(flags)) {
    findings.warning(`${name}: without F=T mail passes untracked while the milter is away`);
  } else if (flags.includes('R')) {
    findings.warning(`${name}: F=R refuses mail while the milter restarts: use F=T`);
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

/** Whether the process runs that has written its id into PidFile. */
async function isRunning(text: string): Promise<boolean> {
  const file = /^O PidFile=(.+)$/m.exec(text)?.[1] ?? '/var/run/sendmail.pid';
  try {
    process.kill(Number.parseInt(await readFile(file, 'utf8'), 10), 0);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // It may be another user's process or file.
    return code === 'EPERM' || code === 'EACCES';
  }
}

function filtersOf(text: string): readonly SendmailFilter[] {
  return [...text.matchAll(/^X(\w[\w-]*),\s*(.*)$/gm)].map(([, name = '', equates = '']) => {
    const equate = (letter: string) =>
      new RegExp(`(?:^|,)\\s*${letter}=([^,]*)`).exec(equates)?.[1]?.trim() ?? '';
    const [milter] = parseMilters(equate('S'));
    return { name, place: milter?.place ?? '', flags: equate('F') };
  });
}
