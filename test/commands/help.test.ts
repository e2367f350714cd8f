import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { loadProgram } from '../../src/commands/program.ts';

const program = await loadProgram();

test('--help fits a screen of 80 columns and 30 lines', () => {
  const lines = program.helpInformation().trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(30);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('only the command that the arguments name is loaded', async () => {
  const { commands } = await loadProgram(['-c', 'run', '--config=x', 'check', '--json']);
  expect(commands.map((command) => command.name())).toEqual(['check']);
});

describe.each(descendants(program))('$name', ({ command }) => {
  test('its help describes it, its arguments and its options', () => {
    const { description, options, registeredArguments } = {
      description: command.description(),
      options: command.options,
      registeredArguments: command.registeredArguments,
    };
    const undescribed = [...options, ...registeredArguments].filter((one) => !one.description);
    expect({ description, undescribed }).toEqual({
      description: expect.stringMatching(/^\S.*[^.]$/),
      undescribed: [],
    });
  });
});

function descendants(parent: Command, prefix = ''): { name: string; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = `${prefix}${command.name()}`;
    return [{ name, command }, ...descendants(command, `${name} `)];
  });
}
