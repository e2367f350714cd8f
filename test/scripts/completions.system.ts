import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shells } from '../../scripts/completions.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
  for (const [shell, script] of Object.entries(shells)) {
    writeFileSync(join(folder, `_clickmilter.${shell}`), script(program()));
  }
  writeFileSync(join(folder, 'some-file.eml'), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A command line with everything that has to be completed. */
function program(): Command {
  const program = new Command('clickmilter')
    .version('1.2.3')
    .option('-c, --config <file>', 'configuration: the file');
  program
    .command('run')
    .description("run the service, it's that")
    .addOption(new Option('--role <role...>', 'which').choices(['milter', 'redirect']));
  const config = program.command('config').description('look into the configuration');
  config.command('eval').description('one option').option('--json', 'as JSON');
  config.command('show').description('all of it');
  program.command('secret', { hidden: true });
  program.command('keygen').addArgument(new Argument('<kind>').choices(['seal', 'sign']));
  program.command('rewrite').argument('[folder]');
  return program;
}

/** What the shell itself offers for the last word of a line. */
const complete: Record<string, (line: string) => string> = {
  bash: (line) =>
    run(
      'bash',
      `source _clickmilter.bash; COMP_WORDS=(${line.replace(/ $/, " ''")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1));
      _clickmilter; printf '%s\\n' "\${COMPREPLY[@]}"; [ \${#COMPREPLY[@]} -gt 0 ] || compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"`,
    ),
  fish: (line) =>
    run(
      'fish',
      `source _clickmilter.fish; complete -C '${line}' | string replace -r '\\t.*' ''; true`,
    ),
  // zsh completes at its line editor only; here its functions print what they were given, of which the editor
  // would show what begins with the word.
  zsh: (line) =>
    run(
      'zsh',
      `_describe() { print -l -- \${\${(P)2}%%:*} }; _files() { print -l -- * }; compadd() { shift; print -l -- "$@" }
       words=(${line.replace(/ $/, " ''")}); CURRENT=$#words
       source _clickmilter.zsh | while read -r one; do [[ $one == $words[CURRENT]* ]] && print -r -- $one; done; true`,
    ),
};

function run(shell: string, code: string): string {
  const args = shell === 'bash' ? ['--norc', '-c', code] : [shell === 'zsh' ? '-fc' : '-c', code];
  return execFileSync(shell, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, HOME: folder },
  });
}

describe.each(['bash', 'fish', 'zsh'])('%s', (shell) => {
  test.each([
    ['clickmilter ', ['config', 'keygen', 'rewrite', 'run']],
    ['clickmilter r', ['rewrite', 'run']],
    ['clickmilter config ', ['eval', 'show']],
    ['clickmilter config e', ['eval']],
    ['clickmilter config eval --j', ['--json']],
    ['clickmilter --config some', ['some-file.eml']],
    ['clickmilter --config some-file.eml ru', ['run']],
    ['clickmilter run --ro', ['--role']],
    ['clickmilter run --role m', ['milter']],
    ['clickmilter keygen s', ['seal', 'sign']],
    ['clickmilter rewrite so', ['some-file.eml']],
  ])('%s', (line, expected) => {
    const offered =
      complete[shell]?.(line)
        .split('\n')
        .filter((word) => word !== '') ?? [];
    const files = ['_clickmilter.bash', '_clickmilter.zsh', '_clickmilter.fish'];
    expect(offered.filter((word) => !files.includes(word)).sort()).toEqual(expected);
  });
});
