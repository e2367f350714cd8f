import type { Command } from 'commander';
import { describeSource } from '../config/describe-source.ts';
import { evaluate, type OptionPath, parseOptionPath, stanzaAt } from '../config/option-path.ts';
import { stanzaJson, stanzaLines } from '../config/stanza.ts';
import { jsonValue, type Showing, visible, writeValue } from '../config/write-value.ts';
import type { Effective } from '../scope/option-value.ts';
import { configuredFully } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

interface Options extends Showing {
  readonly json?: true;
}

/** `clickmilter config` shows the configuration. */
export function configCommand(program: Command): void {
  const command = program
    .command('config')
    .description('show the configuration with the place of each value');
  const subcommand = (name: string) =>
    command
      .command(name)
      .option('--json', 'print JSON')
      .option('--secrets', 'show passwords and tokens');

  subcommand('eval')
    .argument(
      '<path...>',
      '[SCOPE [NAME]]… OPTION, for example ESMTP_Listener Listen *:587 tracking_domain',
    )
    .description('print the value of an option in a scope, set there or inherited')
    .action((words: string[], options: Options) => {
      const { root, config } = configuredFully(program);
      const path = readPath(words);
      print(path, evaluate(root, config, path), options);
    });

  subcommand('get')
    .argument('<path...>', '[SCOPE [NAME]]… OPTION')
    .description('print the value of an option that is set in this very scope')
    .action((words: string[], options: Options) => {
      const { root } = configuredFully(program);
      const path = readPath(words);
      const stanza = stanzaAt(root, path.steps);
      const setting = stanza?.settings.get(path.option);
      print(path, setting && { ...setting, scope: stanza?.path ?? '' }, options);
    });

  subcommand('show')
    .description(
      'print the whole configuration, with includes, merged, with the place of each value',
    )
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
    process.stdout.write(
      `${option} = ${writeValue(found.value, definition)} # ${describeSource(found)}\n`,
    );
  } else {
    const otherwise = 'otherwise' in definition ? `: ${definition.otherwise}` : '';
    process.stdout.write(`# ${option} is not set${otherwise}\n`);
  }
}

function effectiveJson(option: string, { value, origin, scope }: Effective): object {
  return { option, value: jsonValue(value), scope, origin };
}
