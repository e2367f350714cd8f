import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
// What is measured in this process is to meet the strings it meets in the service.
import '../../src/store/redis/client.ts';
import { build, buildCommit } from './builds.ts';
import { Bench, type Part, type Row } from './harness.ts';
import { appendToHistory, machineHere, ratiosBefore } from './history.ts';
import { CORES, pin } from './measured-process.ts';
import { message } from './message.ts';
import { against } from './parts/against.ts';
import { blocks } from './parts/blocks.ts';
import { memory } from './parts/memory.ts';
import { milterAlone } from './parts/milter.ts';
import { postfixAgainst, throughPostfix } from './parts/postfix.ts';
import { redirect, redirectAgainst } from './parts/redirect.ts';
import { reports } from './parts/reports.ts';
import { scopes } from './parts/scopes.ts';
import { store } from './parts/store.ts';
import { workers } from './parts/workers.ts';
import { isMet, table } from './table.ts';

const PARTS: readonly Part[] = [
  message,
  milterAlone,
  workers,
  throughPostfix,
  scopes,
  blocks,
  store,
  redirect,
  reports,
  memory,
];

interface Options {
  readonly quick?: true;
  readonly long?: true;
  readonly only?: readonly string[];
  readonly against?: string;
  readonly rounds: number;
}

const names = PARTS.map(({ name }) => name).join(', ');
const options = new Command('bench')
  .description('Measures clickmilter beside its peers, which it builds and starts itself.')
  .option(
    '--only <names...>',
    `measure only these parts: ${names}; with --against, only such loads`,
  )
  .option('--against <commit>', 'build that commit too, and measure both in turn')
  .option('--rounds <n>', 'how often the contenders take turns; medians are printed', positive, 5)
  .option('--long', 'also what takes many minutes: memory after 100,000 messages')
  .option('--quick', 'only see that everything runs: no figure means anything')
  .parse()
  .opts<Options>();

// A tmpfs for sockets, logs and Postfix's queue, so that no disk is measured.
if (existsSync('/dev/shm')) Object.assign(process.env, { TMPDIR: '/dev/shm' });
pin(process.pid, CORES.load);
const cli = build();
const old = options.against === undefined ? undefined : buildCommit(options.against);
const rows: Row[] = [];
for (const part of chosen(options)) {
  console.error(`${part.name} …`);
  rows.push(...(await measure(part)));
}
const { cpu, cores, kernel } = machineHere();
console.log(`\n${cpu}, ${cores} cores, Linux ${kernel}, Node ${process.versions.node}`);
console.log(`medians of ${options.quick ? 1 : options.rounds} interleaved rounds\n`);
console.log(table(rows, ratiosBefore()));
if (options.quick) console.log('\n--quick: only to see that it runs; no figure means anything');
else if (!options.only && !old && options.rounds >= 5) appendToHistory(rows, options.rounds);
const missed = rows.filter((row) => !isMet(row)).length;
if (missed > 0 && !options.quick) console.log(`\n${missed} goals not met`);

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('not a number from 1');
  return number;
}

function chosen({ only, long }: Options): readonly Part[] {
  if (old !== undefined) {
    const others = [redirectAgainst(old), postfixAgainst(old)];
    return [against(old, only), ...others.filter(({ name }) => only?.includes(name) ?? true)];
  }
  const unknown = only?.find((name) => !PARTS.some((part) => part.name === name));
  if (unknown !== undefined) throw new Error(`no part is called ${unknown}; there are ${names}`);
  return PARTS.filter((part) => only?.includes(part.name) ?? (!part.long || long));
}

async function measure(part: Part): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), `clickmilter-bench-${part.name}-`));
  chmodSync(dir, 0o755); // Postfix's daemons look for milters here
  const { quick = false, rounds } = options;
  const bench = new Bench(
    { quick, rounds: quick ? 1 : rounds, seconds: quick ? 0.1 : 1 },
    dir,
    cli,
  );
  let keepLogs = false;
  try {
    return await part.run(bench);
  } catch (error) {
    console.error(`the logs are in ${dir}`);
    keepLogs = true;
    throw error;
  } finally {
    await bench.stop();
    if (!keepLogs) rmSync(dir, { recursive: true });
  }
}
