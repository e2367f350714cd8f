import { execFileSync } from 'node:child_process';
import { Argument, Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { commandPages } from '../../scripts/manual-command-page.ts';
import { configPage } from '../../scripts/manual-config-page.ts';

function program(): Command {
  const program = new Command('clickmilter')
    .version('1.2.3')
    .description('Click tracking, say for "Postfix" & \\Sendmail')
    .option('-c, --config <file>', "the file's name", '/etc/clickmilter/clickmilter.conf');
  program
    .command('run')
    .description('.run the service')
    .addOption(new Option('--role <role...>', 'which').choices(['milter', 'redirect']));
  const config = program.command('config').description('look into the configuration');
  config
    .command('eval')
    .argument('<words...>')
    .description('one option')
    .option('--json', 'as JSON');
  program.command('secret', { hidden: true });
  program
    .command('keygen')
    .description('make a key')
    .addArgument(new Argument('[kind]', 'kind').choices(['seal', 'sign']));
  return program;
}

function mandoc(page: string, ...args: string[]): string {
  return execFileSync('mandoc', args, { input: page, encoding: 'utf8' });
}

const pages = commandPages(program(), '1.2.3', '2026-11-23');

describe.each([...pages, ['clickmilter.conf.5', configPage('1.2.3', '2026-11-23')]])(
  '%s',
  (_, page) => {
    test('is right to the letter for mandoc', () => {
      expect(mandoc(page, '-T', 'lint', '-W', 'style,stop')).toBe('');
    });
  },
);

test('clickmilter(8) reads as the command line says', () => {
  expect(
    plain('clickmilter.8').replace(/^.*?(?=^NAME)|^EXIT STATUS.*/gms, ''),
  ).toMatchInlineSnapshot(`
    "NAME
           clickmilter - click tracking, say for "Postfix" & \\Sendmail

    SYNOPSIS
           clickmilter [options] command [arguments]

    DESCRIPTION
           A milter rewrites the links in mail that Postfix or Sendmail accepts;
           an HTTP endpoint redirects readers who click a link to its target and
           records the click. clickmilter.conf(5) describes which mail is tracked,
           and how.

    OPTIONS
           -V, --version
                  Output the version number.

           -c, --config <file>
                  The file's name (default: "/etc/clickmilter/clickmilter.conf")

           -h, --help
                  Display help for command.

    COMMANDS
       run
           .run the service.

           --role <role...>
                  Which (choices: "milter", "redirect")

       config eval <words...>
           One option.

           --json As JSON.

       keygen [kind]
           Make a key.

           kind   Kind.

    "
  `);
});

test('each command has a page of its own', () => {
  expect([...pages.keys()]).toEqual([
    'clickmilter.8',
    'clickmilter-run.8',
    'clickmilter-config.8',
    'clickmilter-keygen.8',
  ]);
  expect(plain('clickmilter-run.8')).toMatchInlineSnapshot(`
    "CLICKMILTER-RUN(8)          System Manager's Manual         CLICKMILTER-RUN(8)

    NAME
           clickmilter-run - .run the service

    SYNOPSIS
           clickmilter [options] run [arguments]

    DESCRIPTION
       run
           .run the service.

           --role <role...>
                  Which (choices: "milter", "redirect")

    EXIT STATUS
           0      Success.

           64     The command line is wrong, or a file that it names cannot be
                  read or written.

           65     The input is wrong.

           69     A service such as Redis is unavailable, or the output cannot be
                  written.

           70     An internal error of clickmilter, which it names.

           78     The configuration has errors; trying again does not help.

    SEE ALSO
           clickmilter(8), clickmilter.conf(5)

    clickmilter 1.2.3                 2026-11-23                CLICKMILTER-RUN(8)
    "
  `);
});

/** The text of a page, without bold letters, which are letters over themselves. */
function plain(name: string): string {
  const struck = mandoc(pages.get(name) ?? '', '-T', 'ascii').split('\b');
  return struck
    .map((part, index) => (index < struck.length - 1 ? part.slice(0, -1) : part))
    .join('');
}
