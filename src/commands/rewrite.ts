import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import type { FilterParts } from '../filter/options.ts';
import type { MessageReport } from '../filter/report.ts';
import { reasonOf, silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { printable, printableName } from '../lib/printable.ts';
import { filterSettings } from '../service/filter-settings.ts';
import { openLinks, practiceLinks } from '../service/links.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { openMessageFolder, pathIn, whyUnread } from './message-folder.ts';
import { Progress } from './progress.ts';
import { addTransactionOptions, envelopeOf } from './transaction-options.ts';
import { type TriedMessage, tryMessage } from './try-message.ts';

interface Options {
  readonly links?: string;
  readonly live?: boolean;
  readonly output?: string;
}

/** `clickmilter rewrite` rewrites a message, or a folder of messages, as the milter would. */
export function rewriteCommand(program: Command): void {
  const command = program
    .command('rewrite')
    .argument('[folder]', 'folder of messages, instead of one message on standard input')
    .summary('rewrite a message as the milter would')
    .description('rewrite a message from standard input to standard output, as the milter would')
    .option('--links <file>', 'write each link and its outcome to this file, as JSON')
    .option('--live', 'store the links, so that they work')
    .option('--output <folder>', 'write the messages of a folder to this folder');
  addTransactionOptions(command).action(async (folder: string | undefined, options: Options) => {
    const config = configured(program);
    const envelope = envelopeOf(command.opts());
    await withParts(config, options.live === true, async (parts) => {
      const settings = filterSettings(config);
      const rewrite = (message: Buffer) => tryMessage(message, settings, parts, envelope);
      return folder === undefined
        ? rewriteOne(rewrite, options)
        : rewriteFolder(rewrite, folder, options);
    });
  });
}

type Rewrite = (message: Buffer) => Promise<TriedMessage>;

async function withParts(
  config: Configuration,
  live: boolean,
  work: (parts: FilterParts) => Promise<void>,
): Promise<void> {
  if (!live) return work(practiceLinks(config));
  const links = await openLinks(config, silent, noMetrics);
  try {
    await work(links);
  } finally {
    await links.close();
  }
}

async function rewriteOne(rewrite: Rewrite, options: Options): Promise<void> {
  if (options.output !== undefined) {
    throw new CommandFailed(
      exitCode.usage,
      '--output needs a folder of messages; a single message is written to standard output',
    );
  }
  const { message, report } = await rewrite(await buffer(process.stdin));
  if (options.links !== undefined) {
    await writeLinks(options.links, report.links.map(linkLine));
  }
  process.stdout.write(message);
  if (report.verdict !== 'tracked') {
    process.stderr.write(`clickmilter: ${report.verdict}: ${report.reason ?? 'nothing to do'}\n`);
  }
}

/** A link as `--links` shows it. */
function linkLine({
  part,
  url,
  target,
  name,
  unsubscribe,
  tracked,
  reason,
}: MessageReport['links'][number]) {
  return { part, url, target, name, unsubscribe, tracked, reason };
}

async function rewriteFolder(rewrite: Rewrite, folder: string, options: Options): Promise<void> {
  const { files, unread: unreadFolders } = await openMessageFolder(folder);
  if (options.output !== undefined) await refuseOverlap(folder, options.output);
  const progress = new Progress('rewriting', files.length);
  const summary = new Summary();
  const links: unknown[] = [];
  const unread = [...unreadFolders];
  for (const [index, file] of files.entries()) {
    progress.update(index);
    const original = await readFile(pathIn(folder, file)).catch((error) => {
      unread.push(whyUnread('message', folder, file, error));
    });
    if (original === undefined) continue;
    const { message, report } = await rewrite(original);
    summary.add(report);
    if (options.links !== undefined) {
      for (const link of report.links) links.push({ file: printableName(file), ...linkLine(link) });
    }
    if (options.output !== undefined) {
      await done('cannot write the message', writeMessage(pathIn(options.output, file), message));
    }
  }
  progress.end();
  if (options.links !== undefined) await writeLinks(options.links, links);
  for (const line of unread) process.stderr.write(`clickmilter: ${line}\n`);
  if (unread.length > 0) process.exitCode = exitCode.usage;
  process.stdout.write(summary.table(unread.length));
}

/**
 * Refuses to overwrite the originals, as links made without --live lead nowhere.
 * @throws CommandFailed if one folder is the other or inside it
 */
async function refuseOverlap(folder: string, output: string): Promise<void> {
  const [from, to] = [join(await realPath(folder), '/'), join(await realPath(output), '/')];
  if (to.startsWith(from) || from.startsWith(to)) {
    throw new CommandFailed(
      exitCode.usage,
      `--output ${output}: overlaps ${folder}, whose messages must stay unchanged; name another folder`,
    );
  }
}

/** The path without symbolic links, as far as it exists. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const absolute = resolve(path);
    return join(await realPath(dirname(absolute)), basename(absolute));
  }
}

async function writeMessage(path: Buffer, message: Buffer): Promise<void> {
  await mkdir(path.subarray(0, path.lastIndexOf('/')), { recursive: true });
  await writeFile(path, message);
}

function writeLinks(path: string, links: readonly unknown[]): Promise<void> {
  return done('cannot write the links', writeFile(path, `${JSON.stringify(links, null, 2)}\n`));
}

/**
 * Reports the failure of an operation on a file in one line. The error of Node.js names path and
 * reason.
 */
async function done<T>(cannot: string, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    throw new CommandFailed(exitCode.usage, `${cannot}: ${printable(reasonOf(error))}`);
  }
}

/** The outcomes of many messages, as a table for a terminal. */
class Summary {
  readonly #messages = new Map<string, number>();
  readonly #links = new Map<string, number>();

  add({ verdict, reason, links }: MessageReport): void {
    count(this.#messages, reason === undefined ? verdict : `${verdict}: ${reason}`);
    for (const link of links)
      count(this.#links, link.reason ?? (link.tracked ? 'tracked' : verdict));
  }

  /** @param unread files and folders that could not be read */
  table(unread: number): string {
    return [
      ...rows('messages', this.#messages),
      ...(unread > 0 ? [row('unreadable', unread)] : []),
      '',
      ...rows('links', this.#links),
      '',
    ].join('\n');
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function rows(title: string, counts: ReadonlyMap<string, number>): string[] {
  const total = [...counts.values()].reduce((sum, number) => sum + number, 0);
  return [
    row(title, total),
    ...[...counts].sort((a, b) => b[1] - a[1]).map(([name, number]) => row(`  ${name}`, number)),
  ];
}

function row(name: string, number: number): string {
  return `${name.padEnd(40)} ${String(number).padStart(8)}`;
}
