import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../helpers/run-cli.ts';

let folder: string;
let config: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-rewrite-'));
  config = join(folder, 'clickmilter.conf');
  await writeFile(config, 'ESMTP_Listener { Listen "*:587" { click_tracking_enabled = on } }\n');
});
afterAll(() => rm(folder, { recursive: true }));

const html = Buffer.from(
  'Content-Type: text/html\n\n<a href="https://example.com/?a=1&amp;b=2">one</a> <a href="mailto:a@b">two</a>\n',
);
const submission = ['--listen', '192.0.2.1:587'];

describe('a message', () => {
  test('comes out as the milter would send it on, with its links told', async () => {
    const links = join(folder, 'links.json');
    const { code, stdout, stderr } = await runCli(
      ['-c', config, 'rewrite', ...submission, '--links', links],
      html,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [tracked, left] = JSON.parse(await readFile(links, 'utf8'));
    expect(tracked).toEqual({
      part: 'html',
      url: expect.stringMatching(/^http:\/\/localhost:8080\/[\w-]+$/),
      target: 'https://example.com/?a=1&b=2',
      tracked: true,
    });
    expect(left).toMatchObject({ tracked: false, reason: 'scheme' });
    expect(stdout.toString()).toBe(
      html.toString().replace('https://example.com/?a=1&amp;b=2', tracked.url),
    );
  });

  test('that is not tracked comes out as it was, with the reason', async () => {
    const { code, stdout, stderr } = await runCli(['-c', config, 'rewrite'], html);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'clickmilter: untouched: off\n' });
    expect(stdout.equals(html)).toBe(true);
  });
});

test('a folder is summed up, and written where one says', async () => {
  const mail = join(folder, 'mail');
  const output = join(folder, 'out');
  await mkdir(join(mail, 'cur'), { recursive: true });
  await writeFile(join(mail, 'cur', '1'), html);
  const elsewhere = join(folder, 'elsewhere');
  await writeFile(elsewhere, 'Subject: none\n\nno links here\n');
  await symlink(elsewhere, join(mail, '2'));
  await symlink('/nonexistent', join(mail, 'dangling'));
  const { code, stdout } = await runCli([
    ...['-c', config, 'rewrite', mail, ...submission, '--output', output],
  ]);
  expect(code).toBe(0);
  expect(stdout.toString()).toMatchInlineSnapshot(`
    "messages                                        2
      untouched: no-links                           1
      tracked                                       1

    links                                           2
      tracked                                       1
      scheme                                        1
    "
  `);
  expect(await readFile(join(output, '2'), 'utf8')).toBe('Subject: none\n\nno links here\n');
  expect(await readFile(join(output, 'cur', '1'), 'latin1')).toContain('localhost:8080/');
});

test('what cannot be read in a folder is named and counted, and the rest is rewritten', async () => {
  const mail = join(folder, 'odd');
  const output = join(folder, 'odd-out');
  const links = join(folder, 'odd.json');
  const name = Buffer.from('/caf\xe9\x1b/1', 'latin1');
  const within = (where: string) => Buffer.concat([Buffer.from(where), name]);
  await mkdir(within(mail).subarray(0, -2), { recursive: true });
  await writeFile(within(mail), html);
  await symlink('/proc/self/mem', join(mail, 'l\x1bost')); // a file whose start nobody can read
  const { code, stdout, stderr } = await runCli([
    ...['-c', config, 'rewrite', mail, ...submission, '--output', output, '--links', links],
  ]);
  expect({ code, stderr }).toEqual({
    code: 64,
    stderr: `clickmilter: cannot read the message ${mail}/l\\x1bost: EIO: i/o error\n`,
  });
  expect(stdout.toString()).toMatch(/^messages +1\n {2}tracked +1\nunreadable +1\n\nlinks/);
  expect(await readFile(within(output), 'latin1')).toContain('localhost:8080/');
  expect(JSON.parse(await readFile(links, 'utf8'))[0].file).toBe('caf\\xe9\\x1b/1');
});

describe('what cannot be done', () => {
  test.each([
    ['a folder that does not exist', ['rewrite', '/nonexistent'], 64],
    ['a macro without a value', ['rewrite', '--macro', 'x'], 64],
    ['links in a folder that does not exist', ['rewrite', '--links', '/nonexistent/links'], 64],
    ['links of a folder', ['rewrite', 'FOLDER/one', '--links', '/nonexistent/links'], 64],
    ['a folder for a message that is none of a folder', ['rewrite', '--output', 'FOLDER/out'], 64],
    ['messages where a file is', ['rewrite', 'FOLDER/one', '--output', 'FOLDER/links.json'], 64],
    ['messages where they came from', ['rewrite', 'FOLDER/one', '--output', 'FOLDER/same'], 64],
    ['messages among them', ['rewrite', 'FOLDER/one', '--output', 'FOLDER/one/new/out'], 64],
    ['messages above them', ['rewrite', 'FOLDER/one', '--output', 'FOLDER/one/..'], 64],
  ])('%s', async (_title, args, exit) => {
    await mkdir(join(folder, 'one'), { recursive: true });
    await symlink(join(folder, 'one'), join(folder, 'same')).catch(() => {});
    await writeFile(join(folder, 'one', 'message'), html);
    const named = args.map((arg) => arg.replace('FOLDER', folder));
    const { code, stderr } = await runCli(['-c', config, ...named]);
    expect(code).toBe(exit);
    expect((await readFile(join(folder, 'one', 'message'))).equals(html)).toBe(true);
    expect(stderr.replaceAll(folder, 'FOLDER')).toMatchSnapshot();
  });
});
