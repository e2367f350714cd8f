import { execFile } from 'node:child_process';
import { promisify, styleText } from 'node:util';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { reasonOf } from '../lib/logger.ts';
import { examineDomains, originsOf } from './doctor-domains.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { examineListeners } from './doctor-listeners.ts';
import { examinePage } from './doctor-page.ts';
import { examinePostfix } from './doctor-postfix.ts';
import { examineSendmail } from './doctor-sendmail.ts';
import { examineState, readKeys } from './doctor-state.ts';
import { examineStore } from './doctor-store.ts';
import { exitCode } from './exit-code.ts';
import { machineProblems } from './machine-problems.ts';
import { accessProblems, serviceUser } from './service-user.ts';

const COLOURS = { ok: 'green', warning: 'yellow', error: 'red' } as const;

interface Options {
  readonly postfix?: string;
  readonly json?: boolean;
}

/** `clickmilter doctor`: looks at everything the service depends on. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .summary('examine everything that the service depends on')
    .description('examine everything that the service depends on, and say what to do')
    .option('--postfix <folder>', "Postfix's configuration, where it is not the standard one")
    .option('--json', 'the findings as a JSON array')
    .action(async (options: Options) => {
      const { config: file } = program.opts<{ config: string }>();
      const all: Finding[] = [];
      for await (const findings of examine(file, options)) {
        all.push(...findings);
        if (options.json !== true)
          for (const finding of findings) process.stdout.write(line(finding));
      }
      if (options.json === true) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
      process.exitCode = exitCodeOf(all);
    });
}

/** Runs one examination after the other, and yields the findings of each as soon as it is done. */
async function* examine(file: string, options: Options): AsyncGenerator<readonly Finding[]> {
  const { config, problems: inFile, ...loaded } = loadConfig(file);
  const { root } = loaded;
  const problems = [...inFile];
  const user = await serviceUser(file);
  if (config) {
    problems.push(...machineProblems(root), ...(await accessProblems({ ...loaded, config }, user)));
  }
  const findings = new Findings('configuration');
  for (const problem of problems) findings[problem.severity](formatProblem(problem));
  if (problems.length === 0) findings.ok(`${file}: no problems`);
  yield findings.list;
  if (config === undefined) return;

  yield* guarded('keys', examineState(config, user));
  const keys = await readKeys(config);
  const store = examineStore(config, keys);
  yield* guarded('redis', store);
  yield* guarded('service', examineListeners(config));
  yield* guarded('engagement page', examinePage(config, user));
  yield* guarded('postfix', examinePostfix(config, options.postfix));
  yield* guarded('sendmail', examineSendmail(config));
  yield* examineDomains(originsOf(root, config.scopes), keys, await isAway(store));
  yield* guarded('clock', examineClock());
}

/** A store that answers has a fact. */
async function isAway(store: Promise<readonly Finding[]>): Promise<boolean> {
  const findings = await store.catch(() => []);
  return !findings.some(({ level }) => level === 'ok');
}

/** An examination that fails is a finding as well. */
async function* guarded(
  subject: string,
  examination: Promise<readonly Finding[]>,
): AsyncGenerator<readonly Finding[]> {
  try {
    yield await examination;
  } catch (error) {
    yield [{ level: 'error', subject, message: `could not be examined: ${reasonOf(error)}` }];
  }
}

/** Expiries and sealed links depend on the time of day, here and on every other host. */
async function examineClock(): Promise<readonly Finding[]> {
  const findings = new Findings('clock');
  const asked = promisify(execFile)('timedatectl', [
    'show',
    '--property=NTPSynchronized',
    '--value',
  ]);
  const answer = await asked.then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (answer === 'no') findings.warning('the clock is not synchronised: timedatectl set-ntp true');
  else if (answer === 'yes') findings.ok('the clock is synchronised');
  else
    findings.ok(
      `${new Date().toISOString()}; only systemd could tell whether the clock is synchronised`,
    );
  return findings.list;
}

function line({ level, subject, message }: Finding): string {
  const colour = process.stdout.isTTY ? (text: string) => styleText(COLOURS[level], text) : String;
  return `${colour(level.padEnd(7))}  ${subject}: ${message}\n`;
}

/** Monitoring shall not raise an alarm for warnings. */
function exitCodeOf(findings: readonly Finding[]): number {
  const errors = findings.filter(({ level }) => level === 'error');
  if (errors.length === 0) return exitCode.ok;
  return errors.some(({ subject }) => subject === 'configuration')
    ? exitCode.configuration
    : exitCode.unavailable;
}
