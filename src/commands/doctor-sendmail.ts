import { readFile } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';
import { reasonOf } from '../lib/logger.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { parseMilters, placesOf } from './postfix-configuration.ts';

/** A milter of sendmail.cf: `Xclickmilter, S=unix:/run/x.sock, F=T, T=S:30s`. */
interface SendmailFilter {
  readonly name: string;
  readonly place: string;
  /** F=: `T` defers mail while it is away, `R` refuses it; absent lets it pass. */
  readonly flags: string;
}

/**
 * Sendmail's own settings, where it is installed: whether it uses clickmilter, and what it does
 * with mail while clickmilter is away.
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
  const asked =
    [...text.matchAll(/^O InputMailFilters=(.*)$/gm)].at(-1)?.[1]?.split(/[\s,]+/) ?? [];
  const ours = filters.find(({ place }) => open.has(place));
  if (ours === undefined) {
    findings.error(
      `${file}: no milter has an address where clickmilter listens; the README has the line for sendmail.mc`,
    );
  } else if (!asked.includes(ours.name)) {
    findings.error(`${file}: ${ours.name} is defined, but InputMailFilters does not name it`);
  } else {
    findings.ok('Sendmail uses clickmilter');
    if (!/[TR4]/.test(ours.flags)) {
      findings.warning(`${ours.name}: without F=T mail passes untracked while the milter is away`);
    } else if (ours.flags.includes('R')) {
      findings.warning(`${ours.name}: F=R refuses mail while the milter restarts: use F=T`);
    }
  }
  return findings.list;
}

function filtersOf(text: string): readonly SendmailFilter[] {
  return [...text.matchAll(/^X(\w[\w-]*),\s*(.*)$/gm)].map(([, name = '', equates = '']) => {
    const equate = (letter: string) =>
      new RegExp(`(?:^|,)\\s*${letter}=([^,]*)`).exec(equates)?.[1]?.trim() ?? '';
    const [milter] = parseMilters(equate('S'));
    return { name, place: milter?.place ?? '', flags: equate('F') };
  });
}
