import type { Finding } from '../../src/commands/doctor-finding.ts';

/** What is not well, in one line each. */
export function complaints(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level }) => level !== 'ok')
    .map(({ level, message }) => `${level}: ${message}`);
}
