import { execFileSync } from 'node:child_process';
import { Argument, Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { commandPage } from '../../scripts/manual-command-page.ts';
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
  program.command('keygen').addArgument(new Argument('[kind]', 'kind').choices(['seal', 'sign']));
  return program;
}

function mandoc(page: string, ...args: string[]): string {
  return execFileSync('mandoc', args, { input: page, encoding: 'utf8' });
}

const pages = {
  'clickmilter(8)': commandPage(program(), '1.2.3', '2026-11-23'),
  'clickmilter.conf(5)': configPage('1.2.3', '2026-11-23'),
};

describe.each(Object.entries(pages))('%s', (_, page) => {
  test('is right to the letter for mandoc', () => {
    expect(mandoc(page, '-T', 'lint', '-W', 'style,stop')).toBe('');
  });
});

test('clickmilter(8) reads as the command line says', () => {
  const text = mandoc(pages['clickmilter(8)'], '-T', 'ascii');
  const struck = text.split('\b'); // bold is a letter over itself
  const plain = struck.map((part, index) => (index < struck.length - 1 ? part.slice(0, -1) : part));
  expect(plain.join('').replace(/^.*?(?=^NAME)|^EXIT STATUS.*/gms, '')).toMatchInlineSnapshot(`
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
           .

           kind   Kind.

    "
  `);
});
