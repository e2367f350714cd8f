import { Command } from 'commander';
import { version } from '../version.ts';

const commands = {
  run: async () => (await import('./run.ts')).runCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  config: async () => (await import('./config.ts')).configCommand,
  explain: async () => (await import('./explain.ts')).explainCommand,
  rewrite: async () => (await import('./rewrite.ts')).rewriteCommand,
  events: async () => (await import('./events.ts')).eventsCommand,
  report: async () => (await import('./report.ts')).reportCommand,
  link: async () => (await import('./link.ts')).linkCommand,
  block: async () => (await import('./block.ts')).blockCommand,
  retarget: async () => (await import('./retarget.ts')).retargetCommand,
  optout: async () => (await import('./optout.ts')).optOutCommand,
  forget: async () => (await import('./forget.ts')).forgetCommand,
  keygen: async () => (await import('./keygen.ts')).keygenCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
};

/**
 * The command line. Only the command that the arguments name is loaded, so that a service listens
 * sooner; where they name none, as in `--help`, all commands are.
 * @param args without the name of the program
 */
export async function loadProgram(args: readonly string[] = []): Promise<Command> {
  const program = new Command('clickmilter')
    .description('Click tracking for Postfix and Sendmail')
    .version(`${version} (Node.js ${process.versions.node})`)
    .option('-c, --config <file>', 'configuration file', '/etc/clickmilter/clickmilter.conf')
    // One line per command, so that the help fits a screen.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .helpCommand(false) // the same as COMMAND --help
    .showHelpAfterError('(see clickmilter --help)')
    .exitOverride();
  const asked = commandName(args);
  const names = Object.keys(commands) as (keyof typeof commands)[];
  for (const name of asked ? [asked] : names) (await commands[name]())(program);
  return program;
}

/** The command that the arguments name; undefined if it does not exist. */
function commandName(args: readonly string[]): keyof typeof commands | undefined {
  let at = 0;
  while (args[at]?.startsWith('-')) at += args[at] === '-c' || args[at] === '--config' ? 2 : 1;
  const name = args[at] ?? '';
  return Object.hasOwn(commands, name) ? (name as keyof typeof commands) : undefined;
}
