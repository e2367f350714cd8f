import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '../../systemd');
const units = readdirSync(folder).filter((file) => !file.endsWith('.sh'));
const text = (unit: string) => readFileSync(join(folder, unit), 'utf8');
const services = units.filter((unit) => unit.endsWith('.service'));

let root: string;
beforeAll(() => {
  // A system as the package leaves it, as far as systemd-analyze looks at it.
  root = mkdtempSync(join(tmpdir(), 'root-'));
  const system = join(root, 'usr/lib/systemd/system');
  cpSync('/usr/lib/systemd/system', system, { recursive: true, verbatimSymlinks: true });
  cpSync(folder, system, { recursive: true });
  mkdirSync(join(root, 'usr/bin'));
  const library = join(root, 'usr/lib/clickmilter/systemd');
  mkdirSync(library, { recursive: true });
  cpSync(join(folder, 'ended.sh'), join(library, 'ended.sh'));
  for (const program of ['clickmilter', 'kill']) {
    writeFileSync(join(root, 'usr/bin', program), '');
    chmodSync(join(root, 'usr/bin', program), 0o755);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

describe('systemd-analyze', () => {
  test.each(units)('verify finds nothing in %s', async (unit) => {
    const { stdout, stderr } = await run('systemd-analyze', [
      'verify',
      `--root=${root}`,
      '--man=no',
      unit,
    ]);
    expect(stdout + stderr).toBe('');
  });

  test.each(services)('security gives %s at most 2.0', async (unit) => {
    // Exits 1 above the threshold.
    const { stdout } = await run('systemd-analyze', [
      'security',
      '--offline=true',
      '--threshold=20',
      join(folder, unit),
    ]);
    expect(stdout).toContain('Overall exposure level');
  });
});

/** The words of a setting. */
function setting(unit: string, name: string): string[] {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(text(unit))?.[1]?.split(' ') ?? [];
}

describe.each(services)('%s', (service) => {
  test('brings its sockets with it', () => {
    const own = units.filter((unit) => setting(unit, 'Service').includes(service));
    expect(own).toHaveLength(2);
    expect(setting(service, 'Sockets').sort()).toEqual(own.sort());
  });

  test('may write the log where the configuration shows it', () => {
    const conf = readFileSync(join(folder, '../conf/clickmilter.conf'), 'utf8');
    const [, file = ''] = /^# {2}file = "(.*)"$/m.exec(conf) ?? [];
    expect(setting(service, 'LogsDirectory').map((name) => `/var/log/${name}`)).toEqual([
      dirname(file),
    ]);
  });
});
