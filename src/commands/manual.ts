import { statSync } from 'node:fs';
import { Argument, type Command } from 'commander';
import { commandPage } from './manual-command-page.ts';
import { configPage } from './manual-config-page.ts';

/**
 * `clickmilter manual`: the manual pages, for man(1). Hidden: it is there for the build, since only the program
 * itself knows its whole command line.
 */
export function manualCommand(program: Command): void {
  program
    .command('manual', { hidden: true })
    .addArgument(new Argument('<page>').choices(['clickmilter', 'clickmilter.conf']))
    .description('print a manual page')
    .action((page: string) => {
      const date = pageDate();
      process.stdout.write(
        page === 'clickmilter'
          ? commandPage(program, date)
          : configPage(program.version() ?? '', date),
      );
    });
}

/** The same source gives the same page: the day of the source, not of the build (reproducible-builds.org). */
function pageDate(): string {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const time =
    epoch === undefined ? statSync(new URL(import.meta.url)).mtime : new Date(Number(epoch) * 1000);
  return time.toISOString().slice(0, 10);
}
