import type { Command } from 'commander';
import { evaluate, type OptionPath, parseOptionPath, stanzaAt } from '../config/option-path.ts';
import { stanzaJson, stanzaLines } from '../config/stanza.ts';
import { jsonValue, type Showing, visible, writeValue } from '../config/write-value.ts';
import type { Effective } from '../scope/option-value.ts';
import { configuredFully } from './configured.ts';
import { whence } from './describe-source.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

interface Options extends Showing {
  readonly json?: true;
}

/** `clickmilter config`: what the configuration says, and where. */
export function configCommand(program: Command): void {
  const command = program
    .command('config')
    .description('show what the configuration says, and where');

  command
    .command('eval')
    .argument(
      '<path...>',
      '[SCOPE [NAME]]… OPTION, e.g. ESMTP_Listener Listen *:587 tracking_domain',
    )
    .description('print the value an option has in a scope, with all that it falls back to')
    .option('--json', 'as a JSON object')
    .option('--secrets', 'with passwords and tokens')
    .action((words: string[], options: Options) => {
      const { root, config } = configuredFully(program);
      const path = readPath(words);
      print(path, evaluate(root, config, path), options);
    });

  command
    .command('get')
    .argument('<path...>', '[SCOPE [NAME]]… OPTION')
    .description('print the value that is set for an option in that very scope')
    .option('--json', 'as a JSON object')
    .option('--secrets', 'with passwords and tokens')
    .action((words: string[], options: Options) => {
      const { root } = configuredFully(program);
      const path = readPath(words);
      const stanza = stanzaAt(root, path.steps);
      const setting = stanza?.settings.get(path.option);
      print(path, setting && { ...setting, scope: stanza?.path ?? '' }, options);
    });

  command
    .command('show')
    .description(
      'print the configuration as it was read: included, merged, with the place of each value',
    )
    .option('--json', 'as a JSON object')
    .option('--secrets', 'with passwords and tokens')
    .action((options: Options) => {
      const { root } = configuredFully(program);
      const text = options.json
        ? JSON.stringify(stanzaJson(root, options), null, 2)
        : stanzaLines(root, options).join('\n');
      process.stdout.write(`${text}\n`);
    });
}

function readPath(words: readonly string[]): OptionPath {
  try {
    return parseOptionPath(words);
  } catch (error) {
    if (error instanceof RangeError) throw new CommandFailed(exitCode.usage, error.message);
    throw error;
  }
}

function print(path: OptionPath, set: Effective | undefined, options: Options): void {
  const { option, definition } = path;
  const found = set && { ...set, value: visible(set.value, definition, options) };
  if (options.json) {
    process.stdout.write(`${JSON.stringify(found ? effectiveJson(option, found) : null)}\n`);
  } else if (found) {
    process.stdout.write(`${option} = ${writeValue(found.value, definition)} # ${whence(found)}\n`);
  } else {
    const otherwise = 'otherwise' in definition ? `: ${definition.otherwise}` : '';
    process.stdout.write(`# ${option} is not set${otherwise}\n`);
  }
}

function effectiveJson(option: string, { value, origin, scope }: Effective): object {
  return { option, value: jsonValue(value), scope, origin };
}
