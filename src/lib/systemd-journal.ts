import { fstatSync } from 'node:fs';

/** The severities of syslog(3) that we use. */
const severities = { error: 3, warning: 4, info: 6, debug: 7 } as const;
export type Severity = keyof typeof severities;

/** Whether a descriptor leads to systemd's journal, by JOURNAL_STREAM (systemd.exec(5)). */
export function leadsToJournal(descriptor: number, env: NodeJS.ProcessEnv = process.env): boolean {
  const stream = env['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** The text with the severity before each of its lines, as the journal reads it (sd-daemon(3)). */
export function withSeverity(text: string, severity: Severity): string {
  return text.replace(/^(?=.)/gm, `<${severities[severity]}>`);
}

/** Writes a line to stderr, with its severity where that leads to the journal. */
export function complain(line: string, severity: Severity = 'error'): void {
  const text = `${line}\n`;
  process.stderr.write(leadsToJournal(2) ? withSeverity(text, severity) : text);
}
