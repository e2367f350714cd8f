import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { loadProgram } from '../../src/commands/program.ts';

// What a reader would copy: every command of clickmilter that a page names exists, with its options.

const root = new URL('../../', import.meta.url);
const pages = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(new URL('docs', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const program = await loadProgram();

/** The calls of clickmilter in code spans and in the lines of blocks, also behind `&&`. */
function callsIn(page: string): readonly string[] {
  const text = readFileSync(new URL(page, root), 'utf8');
  const fenced = /^```\w*\n(.*?)^```$/gms;
  const blocks = [...text.matchAll(fenced)].map(([, block = '']) => block);
  const rest = text.replace(fenced, '');
  const indented = [...rest.matchAll(/^ {4}(.*)$/gm)].map(([, line = '']) => line);
  const spans = [...rest.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replace(/\s+/g, ' '));
  return [...blocks, ...indented, ...spans]
    .flatMap((code) => code.split(/\n| && |; | \| /))
    .filter((one) => /^clickmilter [a-z-]/.test(one));
}

/** What is wrong with a call. */
function unknownIn(call: string): readonly string[] {
  const [, ...words] = call.replace(/ #.*/, '').split(' ');
  let command: Command = program;
  const unknown: string[] = [];
  for (const word of words) {
    const inner = command.commands.find((one) => one.name() === word);
    if (inner !== undefined) command = inner;
    else if (command === program && /^[a-z]+$/.test(word)) unknown.push(word);
    else if (/^--?[a-z]/.test(word) && !hasOption(command, word.replace(/[=,.].*/, ''))) {
      unknown.push(word);
    }
  }
  return unknown;
}

function hasOption(command: Command, name: string): boolean {
  return (
    [program, command].some(({ options }) =>
      options.some(({ short, long }) => name === short || name === long),
    ) || ['--help', '--version'].includes(name)
  );
}

test.each(pages)('%s names commands and options that exist', (page) => {
  const wrong = callsIn(page).filter((call) => unknownIn(call).length > 0);
  expect(wrong).toEqual([]);
});

test('the pages have commands to look at, and what does not exist is seen', () => {
  expect(pages.flatMap(callsIn).length).toBeGreaterThan(50);
  expect(unknownIn('clickmilter report --by campaign --wat')).toEqual(['--wat']);
  expect(unknownIn('clickmilter completion bash')).toEqual(['completion', 'bash']);
});
