import { webcrypto } from 'node:crypto';
import { expect, test } from 'vitest';
import { readBase128 } from '../../src/lib/base128.ts';
import type { TrackedLink } from '../../src/link/message-facts.ts';
import { parseSealKeys } from '../../src/link/seal-keys.ts';
import { openToken, Sealer } from '../../src/link/sealed-token.ts';
import { exampleMessage } from './example-message.ts';

const HOST = 'click.example.com';
const { subtle } = webcrypto;
const SECRET = 'lU0pmnUZ3JmqnEmtEkr5bdkqPRYmV2j2cF0n1n3xQ2o';
const keys = parseSealKeys(`5c 2026-11-23T00:00:00Z ${SECRET}\n`, 'keys');
const message = exampleMessage({
  messageId: 'AbCdEfGhIjKlMn-_',
  injectionTime: 20_780 * 86_400 + 70_000,
  expires: 20_780 * 86_400 + 70_000 + 365 * 86_400,
  recipients: ['a@x.example'],
});

function sealed(sealer: Sealer, link: TrackedLink): string {
  const token = sealer.seal(link);
  if (token === undefined) throw new Error('too long');
  return token;
}

/** Opens a token by the description of its format alone, with another implementation of the cryptography. */
async function openIndependently(token: string): Promise<Buffer> {
  const bytes = Buffer.from(token.slice(1), 'base64url');
  const raw = Buffer.from(SECRET, 'base64url');
  const day = bytes.readUInt16BE(1);
  const master = await subtle.importKey('raw', raw, 'HKDF', false, ['deriveBits']);
  const info = Buffer.from(`clickmilter sealed link, day ${day}`);
  const subkey = await subtle.deriveBits(
    { name: 'HKDF', hash: 'SHA-256', salt: Buffer.alloc(0), info },
    master,
    256,
  );
  const hmac = (hash: string) => ({ name: 'HMAC', hash });
  const sign = async (hash: string, key: Buffer, data: Buffer) => {
    const signer = await subtle.importKey('raw', key, hmac(hash), false, ['sign']);
    return Buffer.from(await subtle.sign(hmac(hash), signer, data));
  };
  const both = await sign('SHA-512', Buffer.from(subkey), bytes.subarray(3, 19));
  const name = Buffer.concat([Buffer.of(0, HOST.length), Buffer.from(HOST)]);
  const authenticated = Buffer.concat([name, bytes.subarray(0, -12)]);
  const tag = await sign('SHA-256', both.subarray(32), authenticated);
  expect(bytes.subarray(-12)).toEqual(tag.subarray(0, 12));
  const opener = await subtle.importKey('raw', both.subarray(0, 32), 'AES-CTR', false, ['decrypt']);
  const counter = Buffer.alloc(16);
  counter[15] = bytes[19] ?? 0;
  const algorithm = { name: 'AES-CTR', counter, length: 64 };
  return Buffer.from(await subtle.decrypt(algorithm, opener, bytes.subarray(20, -12)));
}

test('a token is what its description says', async () => {
  const sealer = new Sealer(keys, message);
  const firstToken = sealed(sealer, { target: 'https://first.example/', part: 'text' });
  const token = sealed(sealer, { target: 'https://www.QQQ/', part: 'html', name: 'Logo' });

  const bytes = Buffer.from(token.slice(1), 'base64url');
  expect(token[0]).toBe('6');
  expect(bytes[0]).toBe(0x5c);
  expect(bytes.readUInt16BE(1)).toBe(20_780);
  expect(bytes.toString('base64url', 3, 15)).toBe('AbCdEfGhIjKlMn-_');
  // Behind the blocks of the first link.
  const first = Buffer.from(firstToken.slice(1), 'base64url');
  expect(bytes[19]).toBe(Math.ceil((first.length - 20 - 12) / 16));

  const contents = await openIndependently(token);
  const [html, days, campaign, name, recipient, further] = [1, 2, 4, 8, 16, 64];
  expect(contents[0]).toBe(
    [html, days, campaign, name, recipient, further].reduce((sum = 0, flag = 0) => sum | flag),
  );
  // The second link, so place 1: the number above the 17 bits of the second is one more.
  expect(contents.readUIntBE(1, 3)).toBe(70_000 + 2 * 2 ** 17);
  // 365 in base 128, lowest first.
  expect([...contents.subarray(4, 6)]).toEqual([0x80 | (365 % 128), 2]);
  const strings = contents.subarray(6).toString('latin1');
  // Lengths before the campaign, the name, the recipient, the further facts; then https://www. in one byte.
  const shown = strings.replace(/[^\x20-\x7e]/g, (byte) => `<${byte.charCodeAt(0)}>`);
  expect(shown).toMatch(
    /^<11>autumn-2026<4>Logo<11>a@x\.example[^{]+\{"p":"newsletters",.*\}<128>QQQ\/$/,
  );
});

test('a token without the place of its link goes on working', () => {
  const token = '6XFEsAbCdEfGhIjKlMn-_xpjYMQFW9kSZDYUWtIof5-7pFBJCZXU3iH9hRA';
  const opened = openToken(keys, token, [HOST]);
  expect(opened).toMatchObject({
    link: { target: 'https://www.QQQ/', part: 'text' },
    injectionTime: message.injectionTime,
  });
  expect(opened).not.toHaveProperty('position');
});

test('a link that gets no token has no place', () => {
  const sealer = new Sealer(keys, message);
  const places = ['a', 'x'.repeat(3_600), 'ж'.repeat(3_500), 'b'].map((path) => {
    const token = sealer.seal({ target: `https://first.example/${path}`, part: 'html' });
    return token === undefined ? 'none' : openToken(keys, token, [HOST])?.position;
  });
  expect(places).toEqual([0, 'none', 'none', 1]);
});

test('links behind the longest one open', () => {
  const sealer = new Sealer(keys, message);
  const targets = ['s', 'ü'.repeat(3_580), '€'.repeat(3_580), 't'.repeat(3_000), 'u'];
  const tokens = targets.map((path) => {
    return sealer.seal({ target: `https://a.example/${path}`, part: 'html' });
  });
  const opened = tokens.map((token) => token && openToken(keys, token, [HOST])?.link.target.at(-1));
  expect(opened).toEqual(['s', undefined, undefined, 't', 'u']);
});

test('only the host it was sealed for opens it, however that is spelt', () => {
  const token = sealed(new Sealer(keys, message), {
    target: 'https://first.example/',
    part: 'text',
  });
  const open = (...hosts: string[]) => openToken(keys, token, hosts)?.host;
  expect(open(HOST)).toBe(HOST);
  expect(open('other.example', `${HOST.toUpperCase()}.:8080`)).toBe(`${HOST.toUpperCase()}.:8080`);
  expect(open('other.example', `x${HOST}`, HOST.slice(1), '')).toBeUndefined();
  expect(open()).toBeUndefined();
});

test('tokens begin and end with a letter or digit, whatever their length', () => {
  const sealer = new Sealer(keys, message);
  for (let length = 0; length < 300; length++) {
    const target = `https://first.example/${'x'.repeat(length)}`;
    const token = sealed(sealer, { target, part: 'html' });
    expect(token).toMatch(/^[A-Za-z0-9][\w-]+[A-Za-z0-9]$/);
    expect(openToken(keys, token, [HOST])?.link.target).toBe(target);
    // One link has one token.
    for (const other of [`${token}A`, token.slice(0, -1), token.replace(/A$/, 'B')]) {
      if (other !== token) expect(openToken(keys, other, [HOST])).toBeUndefined();
    }
  }
});

/** The text of a token's bytes. */
function tokenOf(bytes: Buffer): string {
  return `6${bytes.toString('base64url')}${bytes.length % 3 === 0 ? 'A' : ''}`;
}

test('one link has one token: its number is read in no other form, or a block were evaded', () => {
  const token = sealed(new Sealer(keys, message), {
    target: 'https://first.example/',
    part: 'text',
  });
  const bytes = Buffer.from(token.slice(1), 'base64url');
  const opened = [[0], [0x80, 0], [0x80, 0x80, 0], [0x80, 0x80, 0x80, 0x80, 0]].map((number) => {
    const other = Buffer.concat([bytes.subarray(0, 19), Buffer.from(number), bytes.subarray(20)]);
    return openToken(keys, tokenOf(other), [message.domain])?.link.target;
  });
  expect(opened).toEqual(['https://first.example/', undefined, undefined, undefined]);
});

test('one link has one token: its form is read in no other letter', () => {
  const open = (first: string) => openToken(keys, first + GOLDEN_4.slice(1), [HOST]);
  expect(open('4')?.link.target).toBe('https://www.QQQ/');
  expect([...'012356789Aaz-_'].filter((first) => open(first) !== undefined)).toEqual([]);
});

/** Tokens are in inboxes: whatever a later release writes, it must open these. */
test('tokens of earlier releases open', () => {
  const opened = GOLDEN.map((token) => openToken(keys, token, [])?.link);
  expect(opened).toEqual([
    { target: 'https://www.shop.example/autumn?utm_source=newsletter', part: 'html', name: 'Logo' },
    { target: 'https://shop.example/ü', part: 'text' },
  ]);
  expect(GOLDEN_6.map((token) => openToken(keys, token, [HOST])?.link)).toEqual([
    { target: 'https://www.shop.example/autumn?utm_source=newsletter', part: 'html', name: 'Logo' },
    { target: 'https://shop.example/x', part: 'text' },
  ]);
});

test('no two links share a byte of the key stream, however long they are', () => {
  const sealer = new Sealer(keys, message);
  let next = 0;
  for (const length of [0, 1, 15, 16, 17, 700, 2048, 3000, 5, 3500]) {
    const target = `https://a.example/${'x'.repeat(length)}`;
    const token = sealed(sealer, { target, part: 'html' });
    const bytes = Buffer.from(token.slice(1), 'base64url');
    const { value, end } = readBase128(bytes, 19) ?? { value: -1, end: 0 };
    expect(value).toBeGreaterThanOrEqual(next);
    next = value + Math.ceil((bytes.length - end - 12) / 16);
    expect(openToken(keys, token, [HOST])?.link.target).toBe(target);
  }
});

test('a part of the domain cannot pass for a part of the contents', () => {
  const token = sealed(new Sealer(keys, message), { target: 'https://a.example/', part: 'text' });
  for (let cut = 1; cut < HOST.length; cut++) {
    expect(openToken(keys, token, [HOST.slice(cut), HOST.slice(0, -cut)])).toBeUndefined();
  }
});

const GOLDEN_4 = '4XFEsAbCdEfGhIjKlMn-_aqfaGACmpkuBwUhCo8fKqzkGlKgLqxNwVxJSbA';
const GOLDEN_6 = [
  '6XFEsAbCdEfGhIjKlMn-_pbps8wAOch1ISU0dtPI6eGK9_Pho-vuQEfI8F2DZcG7pPKfrLhEZL9YQvigquxQefQr7B' +
    'XxikhAIio-cnAbEugb_RiSL33bnnl3LlZEbtKwh9EoBzxy-yU4nLlef5Lt2asmRFocrTAMWzfNBcrwmV3Mo77jFeFL' +
    'wsDNpKFxFsda-I_sPo4JDi31uHWAs0w',
  '6XFEsAbCdEfGhIjKlMn-_pbps8wgBICJZIz5O-xq2aGVDlEgbaCJSEvu8-RAOwgSLvwta2t8Fc5WbVSF4XZowal5h0' +
    'pUIdEDVGsecEZsTwHMH6FoQbm9AKAwznoFDDHbBkS_TJ6jIXc6hLMOSx5UWJZ5gySPb_nQ_2n2zOjSJ3vaOyV9zJ40' +
    'dy1OSysAK6r8yx46HBKrt5Slba4hFVGsy72KOyAQ',
];
const GOLDEN = [
  '2XFEnAbCdEfGhIjKlMn-_Hl1VmAC59b-9fBDY6rf0GiH24cXPn3XqFn0aFEA1RHBsJH7LbbT7f93wlX0xVX91NFL4c' +
    'uOV0m-TTvsISF-zLdhfDiJxhaRG7X7-OQ7-f_RzHsKtK2D5wF7biFYWBOSn7_FwK1vY9Tafun0ZpmAlIlntUzQCQCO' +
    'jk8IIK7fSuvOYVDuoKpE',
  '2XFEnAbCdEfGhIjKlMn-_Hl1VmAHQgJaoirQY3p7IpjBwuHa_TrjQKWtDFVx6VlneXvk2hvW-WWQAoyVoASiLzxAgW' +
    'hn-f_t4HyW6iTonW3CCAdg0tkjmovGyPwotqNkxv631D3MFRq-jknikE40IYNn0IdQOUO5jEV5p9_nXQMnuxUpRT4D' +
    'f2Nm0c-7sT9swkLjq_qk',
];
