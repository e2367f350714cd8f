import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { composeServices } from '../helpers/compose.ts';
import { requireProgram } from '../helpers/peer-process.ts';

// What can be tried of the files for other people's images without these images.
const examples = join(import.meta.dirname, '../../conf/examples-container');
const folders: string[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'containers-'));
  folders.push(folder);
});
afterAll(() => folders.forEach((one) => void rmSync(one, { recursive: true })));

/** Postfix's view of a main.cf after `commands` of a shell. */
function milters(mainCf: string, commands: string): string[] {
  const file = join(folder, 'main.cf');
  writeFileSync(file, `compatibility_level = 3.6\n${mainCf}\n`);
  writeFileSync(join(folder, 'master.cf'), '');
  const postconf = requireProgram('postconf', 'postfix');
  const env = { ...process.env, MAIL_CONFIG: folder, PATH: `${process.env['PATH']}:/usr/sbin` };
  const script = `set -e; ${commands}\n${postconf} -xh smtpd_milters`;
  const output = execFileSync('sh', ['-c', script], {
    env,
    cwd: examples,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return output.trim().split(/,\s*(?![^{]*\})/);
}

const ours = '{inet:clickmilter-milter:8893, default_action=accept}';

describe('add-milter.sh', () => {
  test.each([
    ['no milter', 'smtpd_milters =', []],
    ['one', 'smtpd_milters = inet:localhost:11332', ['inet:localhost:11332']],
    [
      'those of docker-mailserver',
      'rspamd_milter = inet:localhost:11332\nsmtpd_milters = $rspamd_milter',
      ['inet:localhost:11332'],
    ],
  ])('lists clickmilter before %s, however often it runs', (_, before, others) => {
    expect(milters(before, './add-milter.sh; bash add-milter.sh')).toEqual([ours, ...others]);
  });
});

test("mailcow's extra.cf, appended to its main.cf, lists clickmilter before rspamd", () => {
  const before = 'smtpd_milters = inet:rspamd:9900';
  expect(milters(before, 'cat mailcow/extra.cf >>"$MAIL_CONFIG/main.cf"')).toEqual([
    ours,
    'inet:rspamd:9900',
  ]);
});

describe('override files extend the containers of clickmilter', () => {
  const expected = {
    image: expect.stringMatching(/^clickmilter:/),
    read_only: true,
    cap_drop: ['ALL'],
    volumes: [
      expect.stringMatching(/\/clickmilter\.conf:\/etc\/clickmilter\/clickmilter\.conf:ro$/),
      'clickmilter:/var/lib/clickmilter:rw',
    ],
  };
  test.each([
    [
      'docker-mailserver',
      'compose.override.yaml',
      'services: { mailserver: { image: x } }',
      undefined,
    ],
    [
      'mailcow',
      'docker-compose.override.yml',
      'services: { postfix-mailcow: { image: x, networks: [mailcow-network] } }\nnetworks: { mailcow-network: {} }',
      { 'mailcow-network': expect.anything() },
    ],
  ])('of %s', (name, override, base, networks) => {
    writeFileSync(join(folder, 'base.yaml'), base);
    copyFileSync(join(examples, name, override), join(folder, override));
    copyFileSync(join(examples, 'clickmilter.yaml'), join(folder, 'clickmilter.yaml'));
    const services = composeServices(folder, ['base.yaml', override]);
    for (const service of ['clickmilter-milter', 'clickmilter-redirect']) {
      expect(services[service]).toMatchObject({ ...expected, hostname: service });
      expect(services[service]?.networks).toEqual(networks);
    }
  });
});

test("mailcow's nginx takes the site", () => {
  const pem = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const request = ['req', '-x509', ...curve, '-subj', '/CN=x', '-keyout', key, '-out', pem];
  execFileSync(requireProgram('openssl', 'openssl'), request, { stdio: 'ignore' });
  const site = readFileSync(join(examples, 'mailcow/clickmilter-nginx.conf'), 'utf8')
    .replace('/etc/ssl/mail/cert.pem', pem)
    .replace('/etc/ssl/mail/key.pem', key);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, `pid ${folder}/pid; error_log stderr; events {} http { ${site} }`);
  const nginx = requireProgram('nginx', 'nginx-light');
  execFileSync(nginx, ['-t', '-q', '-p', folder, '-c', file, '-e', 'stderr']);
});
