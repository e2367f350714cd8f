import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Row } from './harness.ts';
import { rowName } from './table.ts';

/** One run, a JSON line of the history file. */
interface Run {
  readonly date: string;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly kernel: string };
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly ratios: Readonly<Record<string, number>>;
}

const FILE = fileURLToPath(new URL('history.jsonl', import.meta.url));

/** The latest ratios of all runs on this kind of machine, each from the last run that measured it. */
export function ratiosBefore(): Record<string, number> {
  const lines = existsSync(FILE) ? readFileSync(FILE, 'utf8').split('\n').filter(Boolean) : [];
  const runs = lines.map((line) => JSON.parse(line) as Run);
  const here = runs.filter(({ machine }) => machine.cpu === machineHere().cpu);
  return Object.assign({}, ...here.map(({ ratios }) => ratios));
}

export function appendToHistory(rows: readonly Row[], rounds: number): void {
  const rounded = rows.flatMap((row) =>
    row.ratio === undefined ? [] : [[rowName(row), Number(row.ratio.toPrecision(3))]],
  );
  const run: Run = {
    date: new Date().toISOString(),
    machine: machineHere(),
    versions: versions(),
    rounds,
    ratios: Object.fromEntries(rounded),
  };
  appendFileSync(FILE, `${JSON.stringify(run)}\n`);
}

export function machineHere(): Run['machine'] {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, kernel: release() };
}

/** The versions of everything that was measured; a peer that is missing is left out. */
function versions(): Record<string, string> {
  const packageJson = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const debian = [
    'libmilter-dev',
    'opendkim',
    'python3-milter',
    'python3-bs4',
    'postfix',
    'redis-server',
    'nginx-light',
    'wrk',
  ];
  const installed = output('dpkg-query', ['-W', ...debian])
    .split('\n')
    .filter(Boolean);
  return {
    clickmilter: (JSON.parse(packageJson) as { version: string }).version,
    commit: output('git', ['rev-parse', '--short', 'HEAD']).trim(),
    node: process.versions.node,
    ...Object.fromEntries(installed.map((line) => line.split('\t'))),
  };
}

function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    // dpkg-query fails where one is missing, and still lists the others.
    return error instanceof Error && 'stdout' in error ? String(error.stdout ?? '') : '';
  }
}
