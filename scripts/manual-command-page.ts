import type { Argument, Command } from 'commander';
import { exitCode } from '../src/commands/exit-code.ts';
import { globalOptions } from '../src/config/service-options.ts';
import { entry, example, heading, paragraph, roff, section, subsection } from './roff.ts';

const EXIT_STATUS: Readonly<Record<keyof typeof exitCode, string>> = {
  ok: 'Success.',
  usage: 'The command line is wrong, or a file that it names cannot be read or written.',
  dataError: 'The input is wrong.',
  unavailable: 'A service such as Redis is unavailable, or the output cannot be written.',
  internal: 'An internal error of clickmilter, which it names.',
  configuration: 'The configuration has errors; trying again does not help.',
};

const SIGNALS = [
  [
    'SIGTERM, SIGINT',
    'Finish running SMTP sessions and requests, then exit. A second signal exits at once.',
  ],
  [
    'SIGHUP',
    'Read the configuration and the files that it names again, and open the log file again.',
  ],
] as const;

const ENVIRONMENT = [
  [
    'NOTIFY_SOCKET, WATCHDOG_USEC',
    'Set by systemd; the service reports its state through them, as with systemd-notify(1).',
  ],
  [
    'LISTEN_FDS, LISTEN_FDNAMES',
    'Set by systemd; sockets named milter, redirect, web and control replace those of the configuration.',
  ],
] as const;

/**
 * The manual pages of the program by their names: clickmilter(8), and one per command, such as clickmilter-run(8), which
 * `man clickmilter run` finds. They follow from the description of the command line.
 */
export function commandPages(
  program: Command,
  version: string,
  date: string,
): ReadonlyMap<string, string> {
  return new Map([
    ['clickmilter.8', programPage(program, version, date)],
    ...visibleCommands(program).map((command): [string, string] => {
      const name = `clickmilter-${command.name()}`;
      return [`${name}.8`, commandPage(name, command, version, date)];
    }),
  ]);
}

function commandPage(name: string, command: Command, version: string, date: string): string {
  return [
    heading(name, 8, version, date),
    section('NAME', paragraph(`${name} - ${lowerFirst(command.description())}`)),
    section('SYNOPSIS', `.B clickmilter\n[options]\n.I ${command.name()}\n[arguments]\n`),
    section('DESCRIPTION', ...commandEntries(command, '')),
    section('EXIT STATUS', ...exitStatus()),
    section('SEE ALSO', '.BR clickmilter (8),\n.BR clickmilter.conf (5)\n'),
  ].join('');
}

function programPage(program: Command, version: string, date: string): string {
  const commands = visibleCommands(program);
  return [
    heading('clickmilter', 8, version, date),
    section('NAME', `clickmilter \\- ${roff(lowerFirst(program.description()))}\n`),
    section('SYNOPSIS', `.B clickmilter\n[options]\n.I command\n[arguments]\n`),
    section(
      'DESCRIPTION',
      paragraph(
        'A milter rewrites the links in mail that Postfix or Sendmail accepts; an HTTP endpoint redirects readers who ' +
          'click a link to its target and records the click. clickmilter.conf(5) describes which mail is tracked, and how.',
      ),
    ),
    section('OPTIONS', ...options(program)),
    section('COMMANDS', ...commands.flatMap((command) => commandEntries(command, ''))),
    section('EXIT STATUS', ...exitStatus()),
    section('SIGNALS', ...SIGNALS.map(([name, text]) => entry(name, text))),
    section('ENVIRONMENT', ...ENVIRONMENT.map(([name, text]) => entry(name, text))),
    section(
      'FILES',
      entry('/etc/clickmilter/clickmilter.conf', 'The configuration.'),
      entry('/var/lib/clickmilter', globalOptions.state_directory.help),
    ),
    section(
      'EXAMPLES',
      paragraph('Rewrite a message as if it came from a client:'),
      example('clickmilter rewrite --peer 10.0.0.7 < message.eml'),
      paragraph('Show why the mail of this client is tracked or not:'),
      example('clickmilter explain --peer 10.0.0.7'),
    ),
    section('SEE ALSO', '.BR clickmilter.conf (5),\n.BR postconf (5),\n.BR systemctl (1)\n'),
  ].join('');
}

/** A command with its arguments and options, or the commands below it. */
function commandEntries(command: Command, prefix: string): string[] {
  const name = `${prefix}${command.name()}`;
  const below = visibleCommands(command);
  if (below.length > 0) return below.flatMap((one) => commandEntries(one, `${name} `));
  const usage = [name, ...command.registeredArguments.map(argumentText)].join(' ');
  return [
    subsection(
      usage,
      paragraph(sentence(command.description())),
      ...argumentEntries(command),
      ...options(command),
    ),
  ];
}

function visibleCommands(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
}

function options(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .filter((option) => option.long !== '--help' || command.parent === null)
    .map((option) => entry(option.flags, sentence(help.optionDescription(option))));
}

function argumentEntries(command: Command): string[] {
  return command.registeredArguments
    .filter((argument) => argument.description !== '')
    .map((argument) => entry(argument.name(), sentence(argument.description)));
}

function argumentText(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function exitStatus(): string[] {
  return Object.entries(exitCode).map(([name, code]) =>
    entry(String(code), EXIT_STATUS[name as keyof typeof exitCode]),
  );
}

/** Makes a sentence of a description, which is a phrase. */
function sentence(phrase: string): string {
  const text = phrase.charAt(0).toUpperCase() + phrase.slice(1);
  return /[.)]$/.test(text) ? text : `${text}.`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
