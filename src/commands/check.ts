import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import { UnusableFile } from '../lib/files.ts';
import { silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { leadsToJournal, withSeverity } from '../lib/systemd-journal.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { checkSealKeyFile } from '../link/seal-key-file.ts';
import { listeners, type Role } from '../service/listen.ts';
import { openStore } from '../store/open-store.ts';
import { readKeys } from './doctor-state.ts';
import { exitCode } from './exit-code.ts';
import { machineProblems } from './machine-problems.ts';
import { roleOption, rolesOf } from './role-option.ts';
import { accessProblems, serviceUser } from './service-user.ts';

/**
 * `clickmilter check` reports every problem of the configuration. The exit code is 78 if one is an
 * error.
 */
export function checkCommand(program: Command): void {
  program
    .command('check')
    .summary('check the configuration')
    .description('check the configuration and report every problem')
    .option('--json', 'print the problems as a JSON array')
    .addOption(roleOption('check only the listeners of these roles'))
    .action(async (options: { json?: true; role?: Role[] }) => {
      const { config: file } = program.opts<{ config: string }>();
      const { config, problems: inFile, ...loaded } = loadConfig(file);
      const { root } = loaded;
      const problems = [...inFile];
      const wanted = rolesOf(options.role);
      const checked = listeners.filter((listener) => wanted.includes(listener));
      if (config) {
        const user = await serviceUser(file);
        problems.push(...machineProblems(root, checked), ...(await keyProblems(config, root)));
        problems.push(...(await accessProblems({ ...loaded, config }, user)));
      }
      if (config && !hasErrors(problems)) problems.push(...(await storeProblems(config, root)));
      if (options.json) {
        process.stdout.write(`${JSON.stringify(problems, null, 2)}\n`);
      } else {
        // systemd runs it before a reload and keeps its output in the journal.
        const print = leadsToJournal(1) ? withSeverity : (line: string) => line;
        for (const problem of problems) {
          process.stdout.write(print(`${formatProblem(problem)}\n`, problem.severity));
        }
        process.stdout.write(`${file}: ${summary(problems)}\n`);
      }
      process.exitCode = hasErrors(problems) ? exitCode.configuration : exitCode.ok;
    });
}

function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

function summary(problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const counts = [
    [errors, 'error'],
    [problems.length - errors, 'warning'],
  ] as const;
  const said = counts
    .filter(([count]) => count > 0)
    .map(([count, kind]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  return said.join(', ') || 'no problems';
}

/**
 * What is wrong with the key file, at `key_file`. A file that this user may not read is not
 * checked.
 */
async function keyProblems(
  { sealed: { keyFile } }: Configuration,
  root: Stanza,
): Promise<readonly Problem[]> {
  const sealed = root.child('sealed');
  const { origin } = sealed?.settings.get('key_file') ?? sealed ?? root;
  try {
    await checkSealKeyFile(keyFile);
  } catch (error) {
    if (error instanceof UnusableFile) {
      return [{ severity: 'error', message: error.message, ...origin }];
    }
  }
  return [];
}

/** Answers of Redis that mean a wrong configuration; other errors may be temporary. */
const REFUSALS = /: (ERR DB index|WRONGPASS|NOAUTH|ERR AUTH|ERR invalid password)/;

/**
 * What is wrong with the Redis that is configured, at its stanza, or at `link_store`: errors where
 * it refuses login or database, warnings about its settings and about hosts with other sealing keys.
 * One that cannot be reached from here and now is nothing that a check of the configuration could
 * know to be wrong: that is left to `doctor` and the service.
 */
async function storeProblems(config: Configuration, root: Stanza): Promise<Problem[]> {
  const set = root.settings.get('link_store');
  const place = root.child('redis')?.origin ?? set?.origin ?? root.origin;
  const keys = await readKeys(config);
  const store = await openStore(config, silent, noMetrics);
  try {
    const { failures, warnings } = await store.health(
      keys && { fingerprint: keys.fingerprint, host: config.events.nodeName },
    );
    return [...failures, ...warnings].map((message) => ({
      severity: 'warning',
      message,
      ...place,
    }));
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    const { message } = error;
    return REFUSALS.test(message) ? [{ severity: 'error', message, ...place }] : [];
  } finally {
    await store.close();
  }
}
