import { type Command, InvalidArgumentError } from 'commander';
import { DAY_MS, HOUR_MS, isCalendarDay } from '../lib/days.ts';
import { addSealKey } from '../link/seal-key-file.ts';
import { formatKeyId } from '../link/seal-keys.ts';
import { configured } from './configured.ts';

/** `clickmilter keygen` adds a key for sealed links. */
export function keygenCommand(program: Command): void {
  program
    .command('keygen')
    .summary('add a key for sealed links')
    .description('add a key for sealed links; links sealed with older keys keep working')
    .option(
      '--from <when>',
      'when it begins to seal: 2026-12-01T00:00:00Z, or 2d or 12h from now (default: now)',
      toTime,
    )
    .action(async ({ from = Date.now() }: { from?: number }) => {
      const { keyFile } = configured(program).sealed;
      const key = await addSealKey(keyFile, from);
      const when = new Date(key.from).toISOString().replace(/\.\d+Z/, 'Z');
      process.stdout.write(
        `key ${formatKeyId(key.id)} added to ${keyFile}, sealing from ${when}\n` +
          'Running services read it on reload (SIGHUP). Copy the file to all hosts that answer for the same links before then.\n',
      );
    });
}

const UNIT_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: DAY_MS };

/** @returns Unix milliseconds */
function toTime(text: string): number {
  const [, number, unit = ''] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  if (number !== undefined) return Date.now() + Number(number) * (UNIT_MS[unit] ?? 0);
  const [day = ''] = text.split('T');
  const time = isCalendarDay(day) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError('Give a time such as 2026-12-01T00:00:00Z, or 12h or 2d.');
  }
  return time;
}
