import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blockCommand } from '../../src/commands/block.ts';
import { forgetCommand } from '../../src/commands/forget.ts';
import { keygenCommand } from '../../src/commands/keygen.ts';
import { linkCommand } from '../../src/commands/link.ts';
import { retargetCommand } from '../../src/commands/retarget.ts';
import { SealKeyFile } from '../../src/link/seal-key-file.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import { BlockListFile } from '../../src/store/local/blocks.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { toClickEvent } from '../click/example-click.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { runCommand } from '../helpers/run-command.ts';
import { exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-links-'));
  config = join(folder, 'clickmilter.conf');
  await writeFile(
    config,
    `link_store = "sealed"\nstate_directory = "${folder}"\nsealed { key_file = "${folder}/keys" }\n` +
      `events { journal = "${folder}/events"  block_list = "${folder}/blocks" }\n` +
      'ESMTP_Listener { tracking_domain = "click.example.com" }\n',
  );
});
afterEach(() => rm(folder, { recursive: true }));

/** One command with the configuration of this test. */
const run = (register: typeof linkCommand, ...args: string[]) =>
  runCommand(register, ['-c', config, ...args]);

const TARGET = 'https://www.shop.example/offer?id=1';
const message = exampleMessage({
  messageId: 'AbCdEfGhIjKlMn-_',
  injectionTime: 1_795_000_000,
  expires: 1_826_536_000,
});

async function sealedToken(facts = message): Promise<string> {
  const { keys } = await SealKeyFile.open(join(folder, 'keys'));
  return tokenOf(createSealedLinks(keys, () => []).issuer.issue(facts), {
    target: TARGET,
    part: 'html',
    name: 'Offer',
  });
}

describe('link', () => {
  test('shows what a tracked URL stands for', async () => {
    const token = await sealedToken();
    const url = `https://click.example.com/f/x/${token}?utm=1`;
    const { stdout } = await run(linkCommand, 'link', url);
    expect(stdout).toMatchInlineSnapshot(`
      "target     https://www.shop.example/offer?id=1
      name       Offer
      part       html
      kind       sealed
      message    AbCdEfGhIjKlMn-_
      domain     click.example.com
      recipient  Someone@example.org
      campaign   autumn-2026
      tags       ["weekly","de"]
      metadata   {"user":4711,"plan":"gold"}
      pathway    newsletters
      injected   2026-11-18T11:06:40Z
      expires    2027-11-18T11:06:40Z
      clicks     0
      "
    `);
    const { stdout: json } = await run(linkCommand, 'link', token, '--json');
    expect(JSON.parse(json)).toMatchObject({ target: TARGET, campaign: 'autumn-2026', clicks: 0 });
  });

  test('says where a URL would not work, and that a link is blocked', async () => {
    const token = await sealedToken();
    await new BlockListFile(join(folder, 'blocks')).add({ kind: 'domain', value: 'shop.example' });
    const url = `https://other.example/${token}`;
    const { stdout, stderr } = await run(linkCommand, 'link', url);
    expect(stdout).toContain('blocked    domain\n');
    expect(stderr).toMatchInlineSnapshot(`
      "clickmilter: other.example is not its tracking domain: the link answers 404 there
      "
    `);
  });

  test('what a sender wrote does not reach the terminal as control characters', async () => {
    const campaignId = 'au\u001b[31mtumn\u009b2J';
    const token = await sealedToken({ ...message, campaignId });
    const { stdout } = await run(linkCommand, 'link', token);
    expect(stdout).toContain('campaign   autumn\n');
    const { stdout: json } = await run(linkCommand, 'link', token, '--json');
    expect(json).toContain('tumn\\u009b2J"');
    expect(JSON.parse(json)).toMatchObject({ campaign: campaignId });
  });

  test.each([
    ['no link at all', 'hello'],
    ['a URL without a token', 'https://shop.example/offer'],
    ['a token of nobody', `2${'A'.repeat(100)}`],
  ])('%s', async (_, text) => {
    expect(await run(linkCommand, 'link', text)).toMatchSnapshot();
  });
});

describe('retarget', () => {
  const NEW = 'https://www.shop.example/right?a=1#top';
  const retarget = (...args: string[]) => run(retargetCommand, 'retarget', ...args);
  const listed = async () => JSON.parse((await retarget('--list', '--json')).stdout);

  test('a link leads elsewhere, and `link` says where, by whom, when and why', async () => {
    const token = await sealedToken();
    const url = `http://click.example.com/${token}`;
    const { stdout } = await retarget(url, NEW, '--why', 'wrong\u001b[31m price');
    expect(stdout).toBe(`retargeted: token ${token} leads to ${NEW}\n`);
    const { stdout: json } = await run(linkCommand, 'link', url, '--json');
    expect(JSON.parse(json)).toMatchObject({
      target: TARGET,
      leads_to: NEW,
      retargeted: 'token',
      retargeted_by: expect.stringMatching(/^.+@.+$/),
      retargeted_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.\d{3}Z$/),
      retargeted_why: 'wrong\u001b[31m price',
      blocked: false,
    });
    expect((await run(linkCommand, 'link', url)).stdout).toMatch(/retargeted_why +wrong price\n/);
    expect((await retarget('--list')).stdout).toMatch(
      /^token \S+ leads to https:\S+ \(\d{4}-\S+Z, \S+@\S+: wrong price\)\n$/,
    );
    expect((await retarget(token, 'https://b.example')).stdout).toBe(
      `retargeted: token ${token} leads to https://b.example, no longer to ${NEW}\n`,
    );
    expect(await listed()).toMatchObject([
      { kind: 'token', value: token, to: 'https://b.example' },
    ]);
    expect((await retarget(url, '--undo')).stdout).toBe(`no longer retargeted: token ${token}\n`);
    expect(await retarget(url, '--undo')).toMatchObject({ code: 65 });
    expect((await retarget('--list')).stdout).toBe('no retargets\n');
    expect((await run(linkCommand, 'link', url)).stdout).not.toContain('leads_to');
  });

  test.each([
    ['a link', async () => `http://click.example.com/${await sealedToken()}`],
    ['a target', async () => TARGET],
    ['a target, spelt differently', async () => 'HTTPS://www.Shop.example:443/offer?id=1'],
  ])('everywhere, by %s', async (_, text) => {
    const what = await text();
    const { stdout } = await retarget(what, NEW, '--everywhere');
    expect(stdout).toBe(`retargeted: url ${TARGET} leads to ${NEW}\n`);
    const { stdout: json } = await run(linkCommand, 'link', await sealedToken(), '--json');
    expect(JSON.parse(json)).toMatchObject({ leads_to: NEW, retargeted: 'url' });
    expect(await retarget(what, '--everywhere', '--undo')).toMatchObject({ code: 0 });
    expect(await listed()).toEqual([]);
  });

  test('all links of a message', async () => {
    await retarget(message.messageId, NEW);
    expect(await listed()).toMatchObject([{ kind: 'message', value: message.messageId, to: NEW }]);
    const { stdout: json } = await run(linkCommand, 'link', await sealedToken(), '--json');
    expect(JSON.parse(json)).toMatchObject({ leads_to: NEW, retargeted: 'message' });
    expect(await retarget(message.messageId, '--undo')).toMatchObject({ code: 0 });
  });

  test('blocks and retargets do not mix, and a block goes before', async () => {
    const token = await sealedToken();
    await retarget(token, NEW);
    await run(blockCommand, 'block', token);
    expect((await run(blockCommand, 'block')).stdout).toBe(`token ${token}\n`);
    const { stdout: json } = await run(linkCommand, 'link', token, '--json');
    expect(JSON.parse(json)).toMatchObject({ blocked: 'token' });
    await run(blockCommand, 'unblock', token);
    expect(await listed()).toHaveLength(1);
    expect(await run(blockCommand, 'unblock', token)).toMatchObject({ code: 65 });
    // A list that was edited by hand, or of another configuration, leads no reader in a circle.
    const list = join(folder, 'blocks');
    const text = await readFile(list, 'utf8');
    await writeFile(list, text.replace(NEW, 'https://click.example.com/x'));
    expect((await run(linkCommand, 'link', token)).stdout).not.toContain('leads_to');
  });

  test('a retarget is undone although its link leads nowhere any more', async () => {
    const url = `http://click.example.com/${await sealedToken()}`;
    await retarget(url, NEW);
    for (const file of ['keys', 'keys.made']) await rm(join(folder, file));
    expect(await retarget(url, '--undo')).toMatchObject({ code: 0 });
    expect(await listed()).toEqual([]);
  });

  test('a URL is written as a browser would ask for it', async () => {
    await retarget(message.messageId, 'https://Bücher.example/für alle');
    expect(await listed()).toMatchObject([{ to: 'https://xn--bcher-kva.example/f%C3%BCr%20alle' }]);
  });

  test('the list has a limit, and what is there can be changed beyond it', async () => {
    const details = '{"to":"https://b.example/","by":"a@b","since":"2026-11-29T12:00:00.000Z"}';
    const lines = Array.from(
      { length: 10_000 },
      (_, i) => `retarget url https://a.example/${i} ${details}`,
    );
    await writeFile(join(folder, 'blocks'), `${lines.join('\n')}\n`);
    expect(await retarget(message.messageId, NEW)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('there are 10000 retargets already'),
    });
    expect(await retarget('https://a.example/7', NEW, '--everywhere')).toMatchObject({ code: 0 });
    expect(await listed()).toHaveLength(10_000);
  });

  test.each([
    ['another scheme', [message.messageId, 'ftp://a.example/']],
    ['a script', [message.messageId, 'javascript:alert(1)']],
    ['no URL', [message.messageId, 'https://']],
    ['a line break', [message.messageId, 'https://a.example/\r\nX: y']],
    ['too long a URL', [message.messageId, 'https://a.example/'.padEnd(8193, 'x')]],
    ['a tracking domain', [message.messageId, 'https://CLICK.example.com./x']],
    ['a tracking domain on another port', [message.messageId, 'http://click.example.com:8080/x']],
    ['a target without --everywhere', [TARGET, NEW]],
    ['a message everywhere', [message.messageId, NEW, '--everywhere']],
    ['no new URL', [message.messageId]],
    ['two wishes', [message.messageId, NEW, '--undo']],
    ['a list of one', [message.messageId, '--list']],
    ['nothing to undo', ['--undo']],
    ['a long reason', [message.messageId, NEW, '--why', 'x'.repeat(501)]],
    ['neither', ['hello', NEW]],
  ])('%s is refused', async (_, args) => {
    expect(await retarget(...args)).toMatchObject({ code: 64 });
    expect(await listed()).toEqual([]);
  });
});

describe('block and unblock', () => {
  test.each([
    ['a token', async () => [await sealedToken()], /^blocked: token 6\S+\n$/],
    [
      'a tracked URL',
      async () => [`http://click.example.com/${await sealedToken()}`],
      /^blocked: token 6\S+\n$/,
    ],
    ['a message', async () => ['AbCdEfGhIjKlMn-_'], 'blocked: message AbCdEfGhIjKlMn-_\n'],
    [
      'a tracked URL with a slash behind it',
      async () => [`http://click.example.com/${await sealedToken()}/`],
      /^blocked: token 6\S+\n$/,
    ],
    ['a target', async () => ['https://evil.example/'], 'blocked: url https://evil.example/\n'],
    [
      'a target as an address bar shows it',
      async () => ['https://Evil.example/für alle'],
      'blocked: url https://evil.example/f%C3%BCr%20alle\n',
    ],
    [
      'a target that looks tracked',
      async () => [`https://x.example/2${'A'.repeat(40)}`],
      /^blocked: url /,
    ],
    [
      'a domain',
      async () => ['--domain', '*.Bücher.example.'],
      'blocked: domain xn--bcher-kva.example\n',
    ],
  ])('%s', async (_, what, said) => {
    const args = await what();
    const both = (command: string) => run(blockCommand, command, ...args);
    const { stdout } = await both('block');
    expect(stdout).toMatch(said);
    expect((await both('block')).stdout).toBe(stdout.replace('blocked', 'already blocked'));
    expect((await run(blockCommand, 'block')).stdout).toBe(stdout.replace('blocked: ', ''));
    expect((await both('unblock')).stdout).toBe(`un${stdout}`);
    expect(await both('unblock')).toMatchObject({ code: 65 });
    expect((await run(blockCommand, 'block')).stdout).toBe('no blocks\n');
  });

  test('what was written into the list by hand is unblocked as it is spelt there', async () => {
    await run(blockCommand, 'block', '--domain', 'x.example');
    await appendFile(join(folder, 'blocks'), 'url HTTPS://Evil.example\n');
    const { stdout } = await run(blockCommand, 'unblock', 'HTTPS://Evil.example');
    expect(stdout).toBe('unblocked: url HTTPS://Evil.example\n');
    expect((await run(blockCommand, 'block')).stdout).toBe('domain x.example\n');
  });

  test('a link is unblocked that leads nowhere any more', async () => {
    const url = `http://click.example.com/${await sealedToken()}`;
    await run(blockCommand, 'block', url);
    for (const file of ['keys', 'keys.made']) await rm(join(folder, file));
    expect((await run(blockCommand, 'unblock', url)).stdout).toMatch(/^unblocked: token 6/);
    expect((await run(blockCommand, 'block')).stdout).toBe('no blocks\n');
  });

  test('a list that is only looked at makes no file', async () => {
    expect((await run(blockCommand, 'block')).stdout).toBe('no blocks\n');
    expect(await readdir(folder)).toEqual(['clickmilter.conf']);
  });

  test.each([
    ['nothing to unblock', ['unblock']],
    ['two things', ['block', 'AbCdEfGhIjKlMn-_', '--domain', 'x.example']],
    ['no domain', ['block', '--domain', 'https://x.example/']],
    ['neither', ['block', 'hello']],
    ['a token of nobody', ['block', `2${'A'.repeat(40)}`]],
  ])('%s is refused', async (_, args) => {
    expect(await run(blockCommand, ...args)).toMatchSnapshot();
  });
});

describe('keygen', () => {
  test('adds a key, now or later', async () => {
    const now = await run(keygenCommand, 'keygen');
    expect(now.stdout.replaceAll(folder, '')).toMatch(
      /^key [0-9a-f]{2} added to \/keys, sealing from /,
    );
    const later = await run(keygenCommand, 'keygen', '--from', '2030-01-01T00:00:00Z');
    expect(later.stdout).toContain('sealing from 2030-01-01T00:00:00Z\n');
    const { keys } = await SealKeyFile.open(join(folder, 'keys'));
    expect(keys().all).toHaveLength(2);
    expect(now.stdout).toContain(`key ${keys().sealing().toString(16).padStart(2, '0')} `);
  });

  test.each([
    'tomorrow',
    '2026-02-31T00:00:00Z',
    '2026-02-31',
    '2026-12-01Tnoon',
    '2026-12-01 10:00',
  ])('does not guess a time: %s', async (when) => {
    await expect(run(keygenCommand, 'keygen', '--from', when)).rejects.toThrow(
      'Give a time such as 2026-12-01T00:00:00Z, or 12h or 2d.',
    );
    expect(await readdir(folder)).toEqual(['clickmilter.conf']);
  });
});

describe('forget', () => {
  test('takes a recipient out of the journal, and says what remains', async () => {
    const journal = new Journal({
      ...eventsDefaults,
      folder: join(folder, 'events'),
      kind: 'events',
    });
    const eventFor = (recipient: string, campaignId: string, n: number) => {
      const resolved = {
        link: { target: TARGET, part: 'html' as const },
        message: { ...message, recipients: [recipient], campaignId },
        isFor: () => true,
      };
      const click = { token: 'T', resolved, time: 1_795_000_000_000, ip: '192.0.2.7' };
      return JSON.stringify(toClickEvent(click, {}, `event-${n}`));
    };
    await journal.append([
      eventFor('a@x.example', 'herbst – größer', 1),
      eventFor('b@x.example', 'spring', 2),
      eventFor('A@X.example', 'spring', 3),
    ]);
    const [file = ''] = await readdir(join(folder, 'events'));
    const read = () => readFile(join(folder, 'events', file), 'utf8');
    const before = await read();

    const { stdout } = await run(forgetCommand, 'forget', '--recipient', 'A@x.example');
    expect(stdout.replaceAll(folder, '')).toMatchInlineSnapshot(`
      "0 stored messages: erased, their links now lead nowhere
      0 stored messages with other recipients too: address erased
      2 click events: erased
      What this cannot erase: sealed links in mail already sent, which hold the address encrypted until their key
      is deleted; events already delivered; journals of other hosts; counts by link, where a target itself says whose
      it was; events erased from the click stream, in Redis' own memory and files until later ones push them out
      (stream_max_length, stream_max_size); logs and backups.
      "
    `);
    const after = await read();
    expect(Buffer.byteLength(after)).toBe(Buffer.byteLength(before));
    const [first, second, third] = after.split('\n');
    expect(second).toBe(before.split('\n')[1]);
    expect(`${first}${third}`.trim()).toBe('');
    await journal.append([eventFor('c@x.example', 'spring', 4)]);
    await journal.close();
    expect((await read()).trimEnd().split('\n')).toHaveLength(4);

    const again = await run(forgetCommand, 'forget', '--recipient', 'a@x.example');
    expect(again.stdout).toMatch(/\n0 click events: erased/);
  });
});
