import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkCommand } from '../../src/commands/check.ts';
import { configCommand } from '../../src/commands/config.ts';
import { runCommand } from '../helpers/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const right = write(
  'right.conf',
  `link_store = redis
ESMTP_Listener {
  click_tracking_enabled = on
  exclude_domains = ( "a.example" )
  Listen "*:587" {
    tracking_domain = "click.example.com"
    enable = off
  }
  Listen ":25" { dry_run = on Peer "10.0.0.0/8" { recipients = single } }
  Peer "10.0.0.0/16" { recipients = any }
}
ESMTP_Listener "out" { tracking_domain = "out.example" }
pathway_group "marketing" { tracking_link_expiry = 86400 pathway "news" { dry_run = on } }
pathway "news" { recipients = single }
Milter_Listener { Listen "/run/m.sock" { file_mode = 0600 } }
redis { url = "rediss://user:secret@secret@redis.example/" password = "hush" command_timeout = 0.1 }
events { webhook_token = "hush" }
`,
);
const clean = (text: string) => text.replaceAll(`${folder}/`, '');
const run = async (register: typeof checkCommand, file: string, ...args: string[]) => {
  const { code, stdout, stderr } = await runCommand(register, ['-c', file, ...args]);
  return { code, stdout: clean(stdout), stderr: clean(stderr) };
};

describe('check', () => {
  test('has nothing to say of a configuration that is right', async () => {
    expect(await run(checkCommand, right, 'check')).toEqual({
      code: 0,
      stdout: 'right.conf: no problems\n',
      stderr: '',
    });
  });

  test('warnings are no errors', async () => {
    const file = write('warning.conf', 'workers = 1\nworkers = 2\n');
    expect(await run(checkCommand, file, 'check')).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "warning.conf:2:1: warning: workers is set twice here: this value overrides that of warning.conf:1
      warning.conf: 1 warning
      ",
      }
    `);
  });

  const wrong = write('wrong.conf', 'workers = many\nlink_store = disk\nworkers = 2\n');

  test('says everything that is wrong, and ends with 78', async () => {
    expect(await run(checkCommand, wrong, 'check')).toMatchInlineSnapshot(`
      {
        "code": 78,
        "stderr": "",
        "stdout": "wrong.conf:1:11: workers must be "auto" or a whole number from 1 to 64, not "many"
      wrong.conf:2:14: link_store must be "redis" or "sealed", not "disk"
      wrong.conf:3:1: warning: workers is set twice here: this value overrides that of wrong.conf:1
      wrong.conf: 2 errors, 1 warning
      ",
      }
    `);
  });

  test('for scripts as JSON', async () => {
    const { code, stdout } = await run(checkCommand, wrong, 'check', '--json');
    expect(code).toBe(78);
    expect(JSON.parse(stdout)).toHaveLength(3);
    expect(JSON.parse(stdout)[0]).toEqual({
      severity: 'error',
      file: 'wrong.conf',
      line: 1,
      column: 11,
      message: 'workers must be "auto" or a whole number from 1 to 64, not "many"',
    });
  });

  test('a configuration that is not there', async () => {
    const { code, stdout } = await run(checkCommand, join(folder, 'none.conf'), 'check');
    expect(code).toBe(78);
    expect(stdout).toContain('none.conf:1:1: cannot read none.conf: no such file or folder');
  });
});

describe('config eval: the value with all it falls back to', () => {
  const L = 'ESMTP_Listener';
  test.each([
    [['link_store'], 'link_store = redis # right.conf:1'],
    [['workers'], 'workers = 1 # default'],
    [[L, 'click_tracking_enabled'], 'click_tracking_enabled = true # right.conf:3, ESMTP_Listener'],
    [[L, 'tracking_domain'], 'tracking_domain = localhost:8080 # default'],
    [[L, 'exclude_domains'], 'exclude_domains = ( a.example ) # right.conf:4, ESMTP_Listener'],
    [
      [L, 'Listen', '192.0.2.1:25', 'dry_run'],
      'dry_run = true # right.conf:9, ESMTP_Listener > Listen ":25"',
    ],
    [
      [L, 'listen', '*:25', 'peer', '10.0.0.1', 'recipients'],
      'recipients = single # right.conf:9, ESMTP_Listener > Listen ":25" > Peer "10.0.0.0/8"',
    ],
    [
      [L, 'Peer', '10.0.1.0/24', 'recipients'],
      'recipients = any # right.conf:10, ESMTP_Listener > Peer "10.0.0.0/16"',
    ],
    [[L, 'Peer', '10.0.0.0/8', 'recipients'], 'recipients = any # default'],
    // A name that may be left out.
    [
      [L, 'out', 'tracking_domain'],
      'tracking_domain = out.example # right.conf:12, ESMTP_Listener "out"',
    ],
    [
      [L, 'out', 'click_tracking_enabled'],
      'click_tracking_enabled = true # right.conf:3, ESMTP_Listener',
    ],
    [
      [L, 'out', 'Listen', '*:25', 'dry_run'],
      'dry_run = true # right.conf:9, ESMTP_Listener > Listen ":25"',
    ],
    // What is switched off is as if it were not there, but says so itself.
    [[L, 'Listen', '*:587', 'tracking_domain'], 'tracking_domain = localhost:8080 # default'],
    [
      [L, 'Listen', '*:587', 'enable'],
      'enable = false # right.conf:7, ESMTP_Listener > Listen "*:587"',
    ],
    [['pathway', 'news', 'recipients'], 'recipients = single # right.conf:14, pathway "news"'],
    [
      ['pathway', 'NEWS', 'tracking_link_expiry'],
      'tracking_link_expiry = 86400 # right.conf:13, pathway_group "marketing"',
    ],
    [
      ['pathway_group', 'marketing', 'pathway', 'news', 'dry_run'],
      'dry_run = true # right.conf:13, pathway_group "marketing" > pathway "news"',
    ],
    [['pathway_group', 'marketing', 'dry_run'], 'dry_run = false # default'],
    [['pathway', 'nobody', 'dry_run'], 'dry_run = false # default'],
    [['redis', 'url'], 'url = "rediss://********@redis.example/" # right.conf:16, redis'],
    [
      ['Milter_Listener', 'Listen', '/run/m.sock', 'file_mode'],
      'file_mode = 0600 # right.conf:15, Milter_Listener > Listen "/run/m.sock"',
    ],
    [['events', 'journal'], 'journal = "var/events" # default'],
    [['state_directory'], 'state_directory = "var" # default'],
    [['log', 'file'], '# file is not set: the standard output'],
  ])('%j', async (words, line) => {
    const { code, stdout } = await run(configCommand, right, 'config', 'eval', ...words);
    expect(stdout).toBe(`${line}\n`);
    expect(code).toBe(0);
  });

  test('for scripts as JSON', async () => {
    const words = [L, 'Listen', '192.0.2.1:25', 'dry_run', '--json'];
    const { stdout } = await run(configCommand, right, 'config', 'eval', ...words);
    expect(JSON.parse(stdout)).toEqual({
      option: 'dry_run',
      value: true,
      scope: 'ESMTP_Listener > Listen ":25"',
      origin: { file: 'right.conf', line: 9, column: 18 },
    });
  });

  test.each([
    [['frobnicate']],
    [['click_tracking_enabled']],
    [['redis', 'uri']],
    [['ESMTP_Listner', 'dry_run']],
    [['ESMTP_Listener', 'Listen', 'dry_run']],
    [['ESMTP_Listener', 'Listen', 'nowhere', 'dry_run']],
    [['ESMTP_Listener', 'Peer', '10.0.0.1', 'Listen', '*:25', 'dry_run']],
    [['smtpapi', 'x', 'y']],
  ])('%j is a mistake', async (words) => {
    const { code, stderr } = await run(configCommand, right, 'config', 'eval', ...words);
    expect(code).toBe(64);
    expect(stderr).toMatchSnapshot();
  });
});

describe('config get: what that very scope sets', () => {
  test.each([
    [
      ['ESMTP_Listener', 'click_tracking_enabled'],
      'click_tracking_enabled = true # right.conf:3, ESMTP_Listener',
    ],
    [
      ['ESMTP_Listener', 'Listen', '*:25', 'click_tracking_enabled'],
      '# click_tracking_enabled is not set',
    ],
    [
      ['ESMTP_Listener', 'Listen', '*:25', 'dry_run'],
      'dry_run = true # right.conf:9, ESMTP_Listener > Listen ":25"',
    ],
    [['ESMTP_Listener', 'Listen', '*:26', 'dry_run'], '# dry_run is not set'],
    [['workers'], '# workers is not set'],
  ])('%j', async (words, line) => {
    const { stdout } = await run(configCommand, right, 'config', 'get', ...words);
    expect(stdout).toBe(`${line}\n`);
  });
});

describe('config show', () => {
  test('is a configuration again, with the place of each value and no password', async () => {
    const { stdout } = await run(configCommand, right, 'config', 'show');
    expect(stdout).toMatchSnapshot();
    const again = write('again.conf', stdout);
    expect((await run(checkCommand, again, 'check')).code).toBe(0);
  });

  test('with passwords only where they are asked for', async () => {
    const shown = async (...args: string[]) =>
      (await run(configCommand, right, 'config', 'show', ...args)).stdout;
    for (const stdout of [await shown(), await shown('--json')]) {
      expect(stdout).not.toMatch(/hush|secret/);
    }
    expect(await shown('--secrets')).toContain('rediss://user:secret@secret@');
    const json = JSON.parse(await shown('--json', '--secrets'));
    expect(JSON.stringify(json)).toContain('hush');
    expect(json.options.link_store).toEqual({
      value: 'redis',
      origin: { file: 'right.conf', line: 1, column: 1 },
    });
  });

  test('a configuration with errors is not shown', async () => {
    const file = write('broken.conf', 'workers = many\n');
    const { code, stdout, stderr } = await run(configCommand, file, 'config', 'show');
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain('broken.conf:1:11: workers must be');
  });
});
