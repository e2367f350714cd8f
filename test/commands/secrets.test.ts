import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkCommand } from '../../src/commands/check.ts';
import { configCommand } from '../../src/commands/config.ts';
import { runCommand } from '../helpers/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'c.conf');

async function everythingSaidOf(text: string): Promise<string> {
  writeFileSync(file, text);
  const commands = [
    ['check'],
    ['check', '--json'],
    ['config', 'show'],
    ['config', 'show', '--json'],
    ...['url', 'username', 'password', 'sentinel_password', 'sentinels', 'nodes'].flatMap((name) =>
      ['get', 'eval'].flatMap((how) => [
        ['config', how, 'redis', name],
        ['config', how, '--json', 'redis', name],
      ]),
    ),
    ...['webhook', 'webhook_token', 'webhook_secret'].flatMap((name) => [
      ['config', 'get', 'events', name],
      ['config', 'eval', '--json', 'events', name],
    ]),
  ];
  let said = '';
  for (const words of commands) {
    const register = words[0] === 'check' ? checkCommand : configCommand;
    const { stdout, stderr } = await runCommand(register, ['-c', file, ...words]);
    said += stdout + stderr;
  }
  return said;
}

describe('no secret is printed', () => {
  test.each([
    // where all is right
    'redis { url = "redis://S3CRET:S3CRET@h/1" }',
    'redis { url = "redis://S3CRET@h" }',
    'redis { url = "rediss://:S3CRET@S3CRET@h" username = "S3CRET" password = "S3CRET" }',
    'redis { sentinels = ( "h:1" ) sentinel_password = "S3CRET" }',
    'events { webhook = "https://S3CRET:S3CRET@h/" webhook_token = "S3CRET" webhook_secret = "S3CRET" }',
    'events { webhook = "https://h/S3CRET" }',
    'events { webhook = "https://h/?token=S3CRET" }',
    'events { webhook = "https://h/#S3CRET" }',
    // wrong values
    'redis { url = "redsi://:S3CRET@h" }',
    'redis { url = "redis:/:S3CRET@h" }',
    'redis { url = ":S3CRET@h" }',
    'redis { url = "redis://:S3CRET@h:port" }',
    'redis { url = "redis://:S3CRET@h/S3CRET" }',
    'redis { url = "redis://:S3CRET/@h" }',
    'redis { url = "redis://:S3CRET#@h" }',
    'redis { url = "redis://:S3CRET%@h" }',
    'redis { url = "redis://h?password=S3CRET" }',
    'redis { url = ( "redis://:S3CRET@h" "x" ) }',
    'redis { url = [ password = "S3CRET" ] }',
    'redis { sentinels = ( "redis://:S3CRET@h:1" "S3CRET@h:1" ":S3CRET@h:1" ) }',
    'redis { nodes = "S3CRET@h:1" nodes = [ a = S3CRET ] }',
    'redis { url = "redis://:S3CRET@h/1" sentinels = ( "h:1" ) }',
    'redis { url = "redis://:S3CRET@h/1" nodes = ( "h:1" ) }',
    'redis { url = "redis://:S3CRET@h/1" database = 2 }',
    'events { webhook = "htps://S3CRET@h/S3CRET" webhook_token = "S3CRET\u00e9" }',
    'events { webhook_secret = [ S3CRET = "S3CRET" ] webhook_token = ( "S3CRET" ) }',
    // mistakes of grammar
    'redis { url = redis://:S3CRET@h }',
    'redis { url = redis://:S3CRET@h/1#S3CRET }',
    'redis { url redis://:S3CRET@h\n}',
    'redis { password S3CRET }',
    'redis { password "S3CRET" }',
    'redis { password = my S3CRET }',
    'redis { password = my S3CRET = x }',
    'redis { password = a"S3CRET" }',
    'redis { password = "a"S3CRET }',
    'redis { password = a=S3CRET }',
    'redis { password = a=S3CRET=b }',
    'redis { password = (S3CRET }',
    'redis { password = a(S3CRET)b }',
    'redis { password = a{S3CRET}b }',
    'redis { password = a[S3CRET]b }',
    'redis { password = a/S3CRET }',
    'redis { passwrd = my S3CRET = x }',
    'redis { password = my S3CRET { } }',
    'redis { password =\nS3CRET }',
    'redis { password =\nS3CRET= }',
    'redis { password =\nS3CRET=\n}',
    'redis { password =\nS3CRET==\n}',
    'redis { password =\nS3CRET=x }',
    'redis { password =\n\n# the password\nS3CRET=x }',
    'redis { password =\n"S3CRET"=x }',
    'redis { password =\nS3CRET{x} }',
    'redis { password =\nS3CRET{\nx=S3CRET}',
    'redis { password =\nS3CRET"x"{ }',
    'redis { passwrd =\nS3CRET=x }',
    'redis { url =\nredis://:S3CRET=x@h/1\n}',
    'events { webhook_secret =\nS3CRET=\n  webhook_token = x }',
    'redis { password = "S3CRET }',
    "redis { password = 'S3CRET }",
    'events { webhook = https://h/S3CRET }',
  ])('%s', async (text) => {
    const said = await everythingSaidOf(`link_store = sealed\n${text}\n`);
    expect(said).not.toContain('S3CRET');
    expect(said).not.toMatch(/\n {4}at /);
  });

  test('but with --secrets', async () => {
    writeFileSync(file, 'redis { url = "redis://:S3CRET@h" }');
    for (const words of [['show'], ['get', 'redis', 'url'], ['eval', 'redis', 'url']]) {
      const args = ['-c', file, 'config', ...words, '--secrets'];
      expect((await runCommand(configCommand, args)).stdout).toContain('S3CRET');
    }
  });
});
