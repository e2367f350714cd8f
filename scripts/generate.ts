import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadProgram } from '../src/commands/program.ts';
import { version } from '../src/version.ts';
import { eventPage, eventSchema } from './click-event.ts';
import { shells } from './completions.ts';
import { commandPages } from './manual-command-page.ts';
import { configPage } from './manual-config-page.ts';
import { referenceFile, referencePage } from './reference.ts';

const root = join(import.meta.dirname, '..');

/** The files that are committed, by path: a test compares them with what is generated. */
export function committedFiles(): ReadonlyMap<string, string> {
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  return new Map([
    ['conf/clickmilter.conf', referenceFile(read('scripts/clickmilter.conf.template'))],
    ['conf/click-event.schema.json', eventSchema()],
    ['docs/configuration.md', referencePage()],
    ['docs/events.md', eventPage(read('docs/events.md'))],
  ]);
}

/** The files that only the build needs. */
async function builtFiles(): Promise<ReadonlyMap<string, string>> {
  const program = await loadProgram();
  const date = sourceDate();
  return new Map([
    ...[...commandPages(program, version, date)].map(([name, page]): [string, string] => [
      `dist/man/${name}`,
      page,
    ]),
    ['dist/man/clickmilter.conf.5', configPage(version, date)],
    ...Object.entries(shells).map(([shell, script]): [string, string] => [
      `dist/completions/clickmilter.${shell}`,
      script(program),
    ]),
  ]);
}

/** The day of the source, not of the build, so that the same source gives the same page (reproducible-builds.org). */
function sourceDate(): string {
  const epoch = process.env['SOURCE_DATE_EPOCH'];
  const time =
    epoch === undefined
      ? statSync(join(root, 'package.json')).mtime
      : new Date(Number(epoch) * 1000);
  return time.toISOString().slice(0, 10);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of [...committedFiles(), ...(await builtFiles())]) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
