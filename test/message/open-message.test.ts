import { describe, expect, test } from 'vitest';
import type { HeaderField } from '../../src/message/header-fields.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { DEFAULT_LIMITS, type MessageOptions } from '../../src/message/reading-options.ts';
import { transferEncode } from '../helpers/transfer-encode.ts';

const OPTIONS: MessageOptions = {
  ownDomains: new Set(['click.example', 'track.example:8080']),
};

/** A message as it stands in a file, with LF for line ends. */
function read(source: string, options: Partial<MessageOptions> = {}) {
  const [head = '', ...rest] = source.split('\n\n');
  const headers: HeaderField[] = head.split(/\n(?![ \t])/).map((line) => {
    const colon = line.indexOf(':');
    return { name: line.slice(0, colon), value: line.slice(colon + 1) };
  });
  const open = openMessage(headers, { ...OPTIONS, ...options });
  const needsBody = open.needsBody;
  open.write(Buffer.from(rest.join('\n\n').replaceAll('\n', '\r\n')));
  return { needsBody, open, message: open.end() };
}

function rewrite(source: string, options: Partial<MessageOptions> = {}): string | undefined {
  const { message } = read(source, options);
  const { body } = message.rewrite(() => 'https://t.example/T');
  return body && Buffer.concat(body).toString().replaceAll('\r\n', '\n');
}

/** Each link, or why it is left alone. */
const links = (source: string, options: Partial<MessageOptions> = {}) =>
  read(source, options).message.links.map(
    ({ part, target, reason }) => `${part} ${reason ?? target}`,
  );

describe('a message is left alone as a whole', () => {
  test.each([
    ['Content-Type: multipart/signed; boundary=b', 'signed', false],
    ['Content-Type: MULTIPART/Encrypted; boundary=b', 'encrypted', false],
    ['Content-Type: application/pkcs7-mime; smime-type=enveloped-data', 'encrypted', false],
    ['Content-Type: application/x-pkcs7-mime; smime-type="signed-data"', 'signed', false],
    ['DKIM-Signature: v=1; a=rsa-sha256', 'dkim-signed', false],
    ['ARC-Message-Signature: i=1; bh=x', 'dkim-signed', false],
    ['ARC-Seal: i=1', 'dkim-signed', false],
    ['DomainKey-Signature: a=rsa-sha1', 'dkim-signed', false],
    ['DOMAINKEY-SIGNATURE: a=rsa-sha1', 'dkim-signed', false],
    ['X-Google-DKIM-Signature: v=1', 'dkim-signed', false],
    ['X-SES-DKIM-Signature: v=1', 'dkim-signed', false],
    ['DKIM2-Signature: i=1', 'dkim-signed', false],
    ['IIM-Sig: v=1', 'dkim-signed', false],
    ['X-PGP-Sig: x', 'dkim-signed', false],
    ['Content-Type: multipart/report; report-type=delivery-status; boundary=b', 'report', false],
    ['Content-Type: Multipart/Report', 'report', false],
    ['Content-Type: message/delivery-status', 'report', false],
    ['Content-Type: message/disposition-notification', 'report', false],
    ['Content-Type: message/feedback-report', 'report', false],
    ['Content-Type: image/png', 'no-text-part', false],
    ['Content-Type: message/rfc822', 'no-text-part', false],
    ['Content-Type: multipart/mixed', 'no-text-part', false],
    ['Content-Type: text/plain\nContent-Disposition: attachment', 'no-text-part', false],
    ['Content-Type: text/plain\nContent-Type: text/html', 'ambiguous-headers', false],
    ['Content-Type: text/plain; charset=utf-8; charset=utf-7', 'ambiguous-headers', false],
    ["Content-Type: text/plain; charset=utf-8; charset*=utf-16''x", 'ambiguous-headers', false],
    ['Content-Type: text/plain; format=flowed;\n\tFORMAT="fixed"', 'ambiguous-headers', false],
    ['Content-Type: multipart/mixed; boundary=a; boundary=b', 'ambiguous-headers', false],
    ['Content-Type: multipart/mixed; boundary=a; boundary*0=b', 'ambiguous-headers', false],
    ['Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode', 'unknown-encoding', true],
    ['Content-Type: text/plain\nContent-Transfer-Encoding: base64', 'malformed-encoding', true],
    ['Content-Type: text/plain; charset=utf-7', 'charset', true],
  ])('%s: %s', (head, reason, needsBody) => {
    const result = read(`${head}\n\nhttps://a.example/`);
    expect(result.message.reason).toBe(reason);
    expect(result.needsBody).toBe(needsBody);
    expect(result.message.rewrite(() => 'https://t.example/')).toEqual({ links: [] });
  });

  test.each([
    'text/plain; charset=utf-8; charset="UTF-8"',
    'text/plain; charset*0=ut; charset*1=f-8',
    'text/plain; charset=utf-8; name="a; charset=utf-7"',
    'text/plain; x-charset=utf-7; charset=utf-8',
  ])('a Content-Type that says one thing is read: %s', (type) => {
    expect(read(`Content-Type: ${type}\n\nhttps://a.example/`).message.reason).toBeUndefined();
  });

  test.each([
    ['-----BEGIN PGP SIGNED MESSAGE-----', 'signed'],
    ['-----BEGIN PGP MESSAGE-----', 'encrypted'],
  ])('%s', (line, reason) => {
    const source = `Content-Type: multipart/alternative; boundary=b\n\n--b\n\n${line}\n\n--b\nContent-Type: text/html\n\n<a href=https://a.example/>\n--b--\n`;
    expect(read(source).message.reason).toBe(reason);
    expect(rewrite(source)).toBe(undefined);
  });

  test.each(['utf-16le', 'utf-16be', 'utf-7'])('inline PGP in %s', (charset) => {
    const text = '-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nhttps://a.example/';
    const bytes = charset === 'utf-7' ? Buffer.from(text) : Buffer.from(text, 'utf16le');
    const encoded = (charset === 'utf-16be' ? bytes.swap16() : bytes).toString('base64');
    const source = `Content-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: base64\n\n${encoded}`;
    expect(read(source).message.reason).toBe('signed');
  });

  test.each(['Authentication-Results', 'ARC-Authentication-Results', 'X-Signature', 'DKIM-Filter'])(
    'not for %s',
    (name) => {
      expect(links(`${name}: x\n\nhttps://a.example/`)).toEqual(['text https://a.example/']);
    },
  );

  test('a report that is not marked as such, and one within', () => {
    const text = '--b\nContent-Type: text/plain\n\n550 see https://a.example/\n';
    for (const part of [
      'Content-Type: message/delivery-status\n\nReporting-MTA: x',
      'Content-Type: message/global-delivery-status\n\nx',
      'Content-Type: multipart/report; boundary=c\n\n--c\n\nx\n--c--',
    ]) {
      const source = `Content-Type: multipart/mixed; boundary=b\n\n${text}--b\n${part}\n--b--\n`;
      expect(read(source).message.reason).toBe('report');
      expect(rewrite(source)).toBe(undefined);
    }
  });

  test('DKIM-signed mail may be rewritten where the operator says so', () => {
    const source = 'DKIM-Signature: v=1\n\nhttps://a.example/';
    expect(rewrite(source, { rewriteSigned: true })).toBe('https://t.example/T');
  });

  test.each([
    [{ bodySize: 10 }, 'body-too-large'],
    [{ parts: 2 }, 'too-many-parts'],
    [{ depth: 1 }, 'too-deep'],
    [{ headerSize: 20 }, 'headers-too-large'],
    [{ links: 0 }, 'too-many-links'],
  ])('beyond %j', (limit, reason) => {
    const inner =
      '--c\nX-Padding: 12345678901234567890123456789012345678901234567890\n\nhttps://a.example/\n--c--\n';
    const source = `Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n${inner}\n--b--\n`;
    expect(links(source)).toEqual(['text https://a.example/']);
    const { message } = read(source, { limits: { ...DEFAULT_LIMITS, ...limit } });
    expect(message.reason).toBe(reason);
    expect(message.rewrite(() => 'https://t.example/').body).toBe(undefined);
  });
});

describe('what a message may grow to', () => {
  const targets = (count: number) =>
    Array.from({ length: count }, (_, i) => `https://a.example/${i}`).join('\n');
  const limits = { ...DEFAULT_LIMITS, growth: 1 };
  const outcome = (source: string, url: string) => {
    const { body = [], links } = read(source, { limits }).message.rewrite(() => url);
    const reasons = links.map(({ reason, tracked }) => (tracked ? 'tracked' : reason));
    return { size: Buffer.concat(body).length, reasons };
  };

  test.each(['text/plain', 'text/html'])('the rest of the links in %s is left alone', (type) => {
    const links = targets(1000);
    const body = type === 'text/html' ? links.replace(/.+/g, '<a href=$&>') : links;
    const { size, reasons } = outcome(
      `Content-Type: ${type}\n\n${body}`,
      `https://t.example/${'T'.repeat(200)}`,
    );
    const tracked = reasons.indexOf('growth');
    expect(tracked).toBeGreaterThan(400);
    expect(new Set(reasons.slice(0, tracked))).toEqual(new Set(['tracked']));
    expect(new Set(reasons.slice(tracked))).toEqual(new Set(['growth']));
    expect(size).toBeLessThan(64 * 1024 + 2 * 34_000);
  });

  test('some hundred links are tracked in a message of any size', () => {
    const { reasons } = outcome(
      `Subject: x\n\n${targets(300)}`,
      `https://t.example/${'T'.repeat(200)}`,
    );
    expect(new Set(reasons)).toEqual(new Set(['tracked']));
  });

  test('relative links repeat the base', () => {
    const base = `<base href="https://a.example/${'x'.repeat(1000)}/">`;
    const { reasons } = outcome(
      `Content-Type: text/html\n\n${base}\n${'<a href=y>\n'.repeat(100)}`,
      'https://t.example/T',
    );
    expect(reasons.filter((reason) => reason === 'tracked')).toHaveLength(66);
    expect(reasons.at(-1)).toBe('growth');
  });
});

describe('the top parts', () => {
  const part = (head: string, body: string) => `--b\n${head}\n\n${body}\n`;
  const text = (n: number) => part('Content-Type: text/plain', `https://text.example/${n}`);
  const html = (n: number) => part('Content-Type: text/html', `<a href=https://html.example/${n}>`);
  const multipart = (...parts: string[]) =>
    `Content-Type: multipart/mixed; boundary=b\n\n${parts.join('')}--b--\n`;
  const identified = (id: string, one: string) => one.replace('\n', `\nContent-ID: ${id}\n`);
  const alternative = (...parts: string[]) =>
    `--b\nContent-Type: multipart/alternative; boundary=alt\n\n${parts.join('').replaceAll('--b\n', '--alt\n')}--alt--\n`;
  const nested = (type: string, ...parts: string[]) =>
    `--b\nContent-Type: multipart/${type}; boundary="in ner"\n\n${parts.join('').replaceAll('--b\n', '--in ner\n')}--in ner--\n`;
  const disposed = (disposition: string, whole: string) =>
    whole.replace('--b\n', `--b\nContent-Disposition: ${disposition}\n`);

  test.each([
    ['the message itself', 'Subject: x\n\nhttps://text.example/1', ['text https://text.example/1']],
    [
      'the message itself, HTML',
      'Content-Type: Text/HTML (c); x=y\n\n<a href=https://html.example/1>',
      ['html https://html.example/1'],
    ],
    [
      'alternative',
      multipart(nested('alternative', text(1), html(1))),
      ['text https://text.example/1', 'html https://html.example/1'],
    ],
    [
      'the first of each',
      multipart(text(1), text(2), html(1), html(2)),
      ['text https://text.example/1', 'html https://html.example/1'],
    ],
    [
      'HTML first',
      multipart(html(1), text(1)),
      ['html https://html.example/1', 'text https://text.example/1'],
    ],
    [
      'the first of related',
      multipart(nested('related', html(1), text(0)), text(1)),
      ['html https://html.example/1', 'text https://text.example/1'],
    ],
    [
      'nothing of related where the first is none',
      multipart(nested('related', part('Content-Type: image/png', 'x'), html(0)), html(1)),
      ['html https://html.example/1'],
    ],
    [
      'an alternative in related',
      multipart(nested('related', alternative(text(1), html(1)), html(0)), text(0)),
      ['text https://text.example/1', 'html https://html.example/1'],
    ],
    [
      'the start of related',
      multipart(nested('related; start="<r>"', html(0), identified('<r>', html(1)), html(0))),
      ['html https://html.example/1'],
    ],
    [
      'the start of related, in a spelling of its own',
      multipart(nested('related; start=r', html(0), identified(' <r> ', html(1)))),
      ['html https://html.example/1'],
    ],
    [
      'the start of related, with a comment',
      multipart(nested('related; start="<r>"', html(0), identified('<r> (it)', html(1)))),
      ['html https://html.example/1'],
    ],
    [
      'the start of related, which is an alternative',
      multipart(
        nested(
          'related; start="<r>"',
          alternative(text(0), html(0)),
          identified('<r>', alternative(text(1), html(1))),
        ),
      ),
      ['text https://text.example/1', 'html https://html.example/1'],
    ],
    [
      'the first of related where the start is not there',
      multipart(nested('related; start="<s>"', html(1), identified('<r>', html(0))), text(1)),
      ['html https://html.example/1', 'text https://text.example/1'],
    ],
    [
      'what comes behind related where its start is none',
      multipart(
        nested(
          'related; start="<r>"',
          html(0),
          identified('<r>', part('Content-Type: image/png', 'x')),
        ),
        html(1),
        text(1),
      ),
      ['html https://html.example/1', 'text https://text.example/1'],
    ],
    [
      'no Content-Type',
      multipart(part('X-Y: z', 'https://text.example/1')),
      ['text https://text.example/1'],
    ],
    ['no header', multipart('--b\n\nhttps://text.example/1\n'), ['text https://text.example/1']],
    [
      'no attachments',
      multipart(part('Content-Disposition: attachment', 'https://text.example/0'), text(1)),
      ['text https://text.example/1'],
    ],
    [
      'nothing within an attachment',
      multipart(
        disposed('attachment', nested('alternative', text(0), html(0))),
        text(1),
        disposed('inline', nested('mixed', html(1))),
      ),
      ['text https://text.example/1', 'html https://html.example/1'],
    ],
    [
      'within what is the whole message, whatever its disposition',
      `Content-Disposition: attachment\n${multipart(text(1))}`,
      ['text https://text.example/1'],
    ],
    [
      'no unknown dispositions',
      multipart(part('Content-Disposition: x-odd', 'https://text.example/0'), text(1)),
      ['text https://text.example/1'],
    ],
    [
      'inline ones',
      multipart(part('Content-Disposition: INLINE', 'https://text.example/1')),
      ['text https://text.example/1'],
    ],
    ...[
      'Content-Disposition: inline; filename=a.txt',
      'Content-Disposition: inline; filename="a b.txt"',
      "Content-Disposition: inline; filename*=utf-8''a%20b.txt",
      'Content-Disposition: inline; filename*0=a; filename*1=.txt',
      'Content-Type: text/plain; name=a.txt',
      'Content-Type: text/plain; name="=?utf-8?q?a?="',
      "Content-Type: text/plain; name*=utf-8''a.txt",
    ].map((head): [string, string, string[]] => [
      `no files: ${head}`,
      multipart(part(head, 'https://text.example/0'), html(1)),
      ['html https://html.example/1'],
    ]),
    [
      'what has an empty file name',
      multipart(part('Content-Type: text/plain; name=""', 'https://text.example/1')),
      ['text https://text.example/1'],
    ],
    [
      'the message itself, whatever its name',
      'Content-Type: text/plain; name=a.txt\n\nhttps://text.example/1',
      ['text https://text.example/1'],
    ],
    [
      'no forwarded messages',
      multipart(
        part('Content-Type: message/rfc822', 'Subject: x\n\nhttps://text.example/0'),
        text(1),
      ),
      ['text https://text.example/1'],
    ],
    [
      'a digest holds messages',
      multipart(nested('digest', part('X-Y: z', 'X: y\n\nhttps://text.example/0')), text(1)),
      ['text https://text.example/1'],
    ],
    [
      'a file name is no type',
      'Content-Disposition: inline; filename=a.html\n\nhttps://text.example/1 <a href=https://html.example/0>',
      ['text https://text.example/1', 'text https://html.example/0'],
    ],
    [
      'without a final delimiter',
      `Content-Type: multipart/mixed; boundary=b\n\n${text(1)}`,
      ['text https://text.example/1'],
    ],
  ])('%s', (_, source, expected) => {
    expect(links(source)).toEqual(expected);
  });

  test.each([
    ...['7-bit', '8-bit', '7bits', '8bits', '8BIT;', '7 bit', '8_bit', '8bitmime', '"7bit"'],
    ...['8bit; charset=utf-8', '8bit,', '7bit (x)', 'binary;', ''],
  ])('the Content-Transfer-Encoding %j is that of text as it is', (encoding) => {
    const source = `Content-Type: text/plain\nContent-Transfer-Encoding: ${encoding}\n\nhttps://a.example/ =3D`;
    expect(rewrite(source)).toBe('https://t.example/T =3D');
  });

  test.each([
    ...['quoted_printable', 'quoted-printable;', 'base-64', 'x-uuencode', '"base64"', '; base64'],
    ...['9bit', '7', 'bit', '7bitx', 'x-7bit', 'utf-8', 'binaryx', 'none'],
  ])('the Content-Transfer-Encoding %j is not known', (encoding) => {
    const source = `Content-Type: text/plain\nContent-Transfer-Encoding: ${encoding}\n\nhttps://a.example/`;
    expect(read(source).message.reason).toBe('unknown-encoding');
  });

  test('what is signed within is left alone, and what comes after it is no top part', () => {
    const source = multipart(
      nested('signed', text(1), part('Content-Type: application/pgp-signature', 'x')),
      text(2),
      html(1),
    );
    const { message } = read(source);
    expect(message.parts).toEqual([{ part: 'text', reason: 'signed' }, { part: 'html' }]);
    expect(message.links.map(({ target }) => target)).toEqual(['https://html.example/1']);
  });

  test('what follows the second is not read', () => {
    const open = openMessage(
      [{ name: 'Content-Type', value: ' multipart/mixed;\n boundary=b' }],
      OPTIONS,
    );
    open.write(Buffer.from(`${text(1)}${html(1)}--b\n`.replaceAll('\n', '\r\n')));
    open.write(Buffer.from('X: y\r\n'.repeat(200_000)));
    const { links: found, rewrite: again } = open.end();
    expect(found).toHaveLength(2);
    const { body = [] } = again(() => 'https://t.example/T');
    expect(Buffer.concat(body).toString()).toMatch(/T>\r\n--b\r\n(X: y\r\n){200000}$/);
  });
});

describe('of two parts, one may be tracked', () => {
  /** The parts with links of their own, marks, and a link that each opts out. */
  const parts = (text: string, html: string) =>
    `Content-Type: multipart/alternative; boundary=b\n\n--b\n\n${text}\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n${html}\n--b--\n`;
  const body = (source: string) => source.slice(source.indexOf('--b'));
  const text =
    'https://a.example/ https://b.example/[[data-msys-clicktrack="0"]]\nhttps://c.example/ https://d.example/';
  const html =
    '<a href=3D"https://a.example/">=\n<a href=3D"https://b.example/"><a data-msys-clicktrack=3D"0" href=3D"https://c.example/">=3D';
  const source = parts(text, html);

  test('the HTML part alone', () => {
    const options = { clickTrackingParts: 'html' } as const;
    expect(rewrite(source, options)).toBe(
      body(
        parts(
          text,
          html
            .replace('"https://a.example/"', '"https://t.example/T"')
            .replace(' data-msys-clicktrack=3D"0"', ''),
        ),
      ),
    );
    expect(links(source, options)).toEqual([
      'text untracked-part',
      'text opted-out',
      'text opted-out',
      'text untracked-part',
      'html https://a.example/',
      'html opted-out',
      'html opted-out',
    ]);
  });

  test('the text part alone', () => {
    const options = { clickTrackingParts: 'text' } as const;
    expect(rewrite(source, options)).toBe(
      body(
        parts(
          'https://t.example/T https://b.example/\nhttps://c.example/ https://t.example/T',
          html,
        ),
      ),
    );
    expect(links(source, options).slice(4)).toEqual([
      'html untracked-part',
      'html opted-out',
      'html opted-out',
    ]);
  });

  test.each(['base64', '8bit'])('no byte of the other one changes: %s', (encoding) => {
    const page = (href: string) => `Content-Type: text/html\n\n<a href="${href}">\n--b--\n`;
    const plain =
      encoding === 'base64'
        ? Buffer.from('https://a.example/ [[data-msys-clicktrack="0"]]').toString('base64')
        : 'https://a.example/ [[data-msys-clicktrack="0"]] \u0000';
    const message = (href: string) =>
      `Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: ${encoding}\n\n${plain}\n--b\n${page(href)}`;
    expect(rewrite(message('https://c.example/'), { clickTrackingParts: 'html' })).toBe(
      body(message('https://t.example/T')),
    );
    expect(rewrite(`Content-Type: text/plain\n\n${plain}`, { clickTrackingParts: 'html' })).toBe(
      undefined,
    );
  });

  test('neither is tracked where the other one is encrypted', () => {
    const secret = parts('-----BEGIN PGP MESSAGE-----', html);
    expect(read(secret, { clickTrackingParts: 'html' }).message.reason).toBe('encrypted');
  });
});

describe('links are left alone, with the reason', () => {
  const page = (tag: string) => `Content-Type: text/html\n\n${tag}`;
  test.each([
    ['<a href=mailto:x@y.example>', 'scheme'],
    ['<a href=/x>', 'relative'],
    ['<a href="https://a b.example/">', 'invalid-url'],
    ['<a href="{{url}}">', 'placeholder'],
    ['<a href="https://CLICK.example/x">', 'own-domain'],
    ['<a href="https://click.example:443/x">', 'own-domain'],
    ['<a href="http://track.example:8080/x">', 'own-domain'],
    ['<a href="http://track.example/x">', 'http://track.example/x'],
    ['<a href="https://a.example/secret">', 'excluded'],
    ['<a class=no href="https://a.example/">', 'excluded-selector'],
    ['<a href="https://a.example/">a.example</a>', 'url-text'],
    ['<a clicktracking=off href="https://a.example/">', 'opted-out'],
  ])('%s: %s', (tag, expected) => {
    const found = links(page(tag), {
      excludeSelectors: ['.no'],
      trackUrlText: false,
      exclude: (target) => target.includes('secret'),
    });
    expect(found).toEqual([`html ${expected}`]);
  });

  test.each([
    ['<https://shop.{{domain}}/sale>', 'placeholder'],
    ['<http://a.example%2fb/x>', 'unclear-end'],
    ['<https://a.example/ä>', 'https://a.example/%C3%A4'],
    ['https://a.example/a–b', 'unclear-end'],
  ])('in text, %s: %s', (text, expected) => {
    expect(links(`Content-Type: text/plain; charset=utf-8\n\n${text}`)).toEqual([
      `text ${expected}`,
    ]);
  });

  test.each([
    'https://a.example/leave?a=1',
    '"https://a.example/leave?a=1"',
    'https://a.example/leave?a=1, mailto:x@y.example',
    'mailto:x@y.example, https://a.example/leave?a=1',
    '<https://a.example/leave?a=1',
    'https://a.example/leave?a=1>',
    '(leave) https://a.example/leave?a=1;',
    'https://a.example/\n leave?a=1',
    '<https\n ://a.example/leave?a=1>',
    'ht\n tps://a.example/leave?a=1',
    '<https://a.example/\n leave?a=1>',
    '< https://a.example/leave?a=1 >',
    '<mailto:x@y.example> https://a.example/leave?a=1',
  ])('the URL of List-Unsubscribe: %j', (value) => {
    expect(
      links(`List-Unsubscribe: ${value}\n${page('<a href="https://a.example/leave?a=1">')}`),
    ).toEqual(['html unsubscribe']);
  });

  test('the URL of List-Unsubscribe behind more than a call takes arguments', () => {
    const value = `${'http:a '.repeat(145_000)}https://a.example/leave?a=1`;
    expect(
      links(`List-Unsubscribe: ${value}\n${page('<a href="https://a.example/leave?a=1">')}`),
    ).toEqual(['html unsubscribe']);
  });

  test('the URL of List-Unsubscribe, wherever it is', () => {
    const head = 'List-Unsubscribe: <mailto:x@y.example>,\n <https://A.example/leave?a=1&b=2>\n';
    expect(links(`${head}${page('<a href="https://a.example/leave?a=1&amp;b=2">')}`)).toEqual([
      'html unsubscribe',
    ]);
    const escaped = 'List-Unsubscribe: <https://a.example/leave?a=1&amp;b=2>\n';
    expect(links(`${escaped}${page('<a href="https://a.example/leave?a=1&amp;b=2">')}`)).toEqual([
      'html unsubscribe',
    ]);
    const bare = 'List-Unsubscribe: <https://a.example/>\n';
    expect(links(`${bare}${page('<a href="https://a.example">')}`)).toEqual(['html unsubscribe']);
    // as Python writes a long one
    const words =
      'List-Unsubscribe:\n =?utf-8?q?=3Chttps=3A//a=2Eexample/leave=3F?=\n =?utf-8?q?a=3D1=26b=3D2=3E?=\n';
    expect(links(`${words}${page('<a href="https://a.example/leave?a=1&amp;b=2">')}`)).toEqual([
      'html unsubscribe',
    ]);
  });

  test.each([
    ['https://a.example/x?y=1', 'HTTPS://A.example:443/x?y=1'],
    ['https://a.example', 'https://a.example/'],
    ['https://a.example/', 'https://a.example'],
    ['https://a.example?y', 'https://a.example/?y'],
    ['https://bücher.example/x', 'https://xn--bcher-kva.example/x'],
    ['http://a_b.example/{x,1}', 'http://a_b.example/{x,1}'],
    ['http://a.example/?x&{y,1}', 'http://a.example/?x&#38;{y,1}'],
  ])(
    'opted out in one part is opted out in the other, however its host is spelt: %s %s',
    (one, other) => {
      const off = `${one}[[data-msys-clicktrack="0"]]`;
      const source = `Content-Type: multipart/alternative; boundary=b\n
--b\nContent-Type: text/plain; charset=utf-8\n\n${off} https://b.example/
--b\nContent-Type: text/html\n\n<a href="${other}">\n--b--\n`;
      expect(links(source)).toEqual([
        'text opted-out',
        'text https://b.example/',
        'html opted-out',
      ]);
    },
  );

  test('opted out in one part is opted out in both, and our marks are gone', () => {
    const source = `Content-Type: multipart/alternative; boundary=b

--b

https://a.example/?x=1&y=2 https://b.example/[[data-msys-clicktrack="0"]]
--b
Content-Type: text/html

<a data-msys-clicktrack="0" href="https://a.example/?x=1&amp;y=2">x</a> <a href="https://b.example/">y</a>
<a data-msys-linkname="Three" href="https://c.example/">z</a>
--b--
`;
    expect(links(source)).toEqual([
      'text opted-out',
      'text opted-out',
      'html opted-out',
      'html opted-out',
      'html https://c.example/',
    ]);
    expect(rewrite(source)).toBe(
      source
        .slice(source.indexOf('--b'))
        .replace('[[data-msys-clicktrack="0"]]', '')
        .replace(' data-msys-clicktrack="0"', '')
        .replace(' data-msys-linkname="Three"', '')
        .replace('https://c.example/', 'https://t.example/T'),
    );
  });
});

describe('rewriting', () => {
  test('says of each link what became of it, and may be repeated with other URLs', () => {
    const { message } = read(
      `Content-Type: text/html\n\n<a href=https://a.example/ data-msys-linkname=A><a href=https://b.example/><a href=tel:1>`,
    );
    const first = message.rewrite(({ target }) =>
      target.includes('a.ex') ? 'https://t.example/1?a&b' : undefined,
    );
    expect(first.links).toEqual([
      {
        part: 'html',
        target: 'https://a.example/',
        name: 'A',
        url: 'https://t.example/1?a&b',
        tracked: true,
      },
      { part: 'html', target: 'https://b.example/', reason: 'too-long', tracked: false },
      { part: 'html', target: 'tel:1', reason: 'scheme', tracked: false },
    ]);
    expect(Buffer.concat(first.body ?? []).toString()).toBe(
      '<a href=https://t.example/1?a&#38;b><a href=https://b.example/><a href=tel:1>',
    );
    const second = message.rewrite(() => 'https://u.example/');
    expect(Buffer.concat(second.body ?? []).toString()).toBe(
      '<a href=https://u.example/><a href=https://u.example/><a href=tel:1>',
    );
  });

  test('a URL that ends in -- ends no comment', () => {
    const links = (quote: string) =>
      `<!--[if mso]><a href=${quote}https://a.example/${quote}>b</a><![endif]-->`;
    const html = links('') + links('"');
    const { body } = read(`Content-Type: text/html\n\n${html}`).message.rewrite(
      () => 'https://t.example/1--',
    );
    expect(Buffer.concat(body ?? []).toString()).toBe(
      '<!--[if mso]><a href=https://t.example/1-&#45;>b</a><![endif]-->' +
        '<!--[if mso]><a href="https://t.example/1--">b</a><![endif]-->',
    );
  });

  test('no change, no new body', () => {
    expect(rewrite('Content-Type: text/html\n\n<a href=tel:1>')).toBe(undefined);
    expect(read('Subject: x\n\nhttps://a.example/').message.rewrite(() => undefined).body).toBe(
      undefined,
    );
    const long = `${'x'.repeat(980)} https://a.example/`;
    const { links: outcomes, body } = read(`Subject: x\n\n${long}`).message.rewrite(
      () => 'https://t.example/long',
    );
    expect(body).toBe(undefined);
    expect(outcomes).toMatchObject([{ tracked: false, reason: 'line-too-long' }]);
  });

  test('a URL over several lines of format=flowed with DelSp', () => {
    const source =
      'Content-Type: text/plain; format=flowed; delsp=yes\n\n> See https://a.exa \n> mple/x for more.';
    expect(links(source)).toEqual(['text https://a.example/x']);
    expect(rewrite(source)).toBe('> See https://t.example/T for more.');
  });
});

describe('the HTML part with other URLs', () => {
  const BASE64 = 'Content-Transfer-Encoding: base64';
  const html = '<p>Grüße</p><a href="/1">1</a> <a href="mailto:x@y.example">2</a>';

  test.each<[string, BufferEncoding]>([
    ['utf-8', 'utf8'],
    ['utf-16le', 'utf16le'],
    ['iso-8859-1', 'latin1'],
  ])('is decoded from %s in base64, and has all of its links replaced', (charset, encoding) => {
    const body = Buffer.from(html, encoding).toString('base64');
    const type = `Content-Type: text/html; charset=${charset}\n${BASE64}`;
    const { message } = read(`${type}\n\n${body}\n`);
    expect(message.html((link, index) => `${index} ${link.reason ?? 'T'}`)).toBe(
      html.replace('/1', '0 relative').replace('mailto:x@y.example', '1 scheme'),
    );
  });

  test.each<[string, BufferEncoding]>([
    ['utf-8', 'utf8'],
    ['utf-16le', 'utf16le'],
  ])('is decoded from %s in quoted-printable, with an empty link as well', (charset, encoding) => {
    const written = `${html}<a title="=" href="">3</a><a href="https://x.example/?a=1">4</a>`;
    const body = transferEncode(Buffer.from(written, encoding), 'quoted-printable').toString();
    const type = `Content-Type: text/html; charset=${charset}`;
    const source = `${type}\nContent-Transfer-Encoding: quoted-printable\n\n`;
    const { message } = read(source + body.replaceAll('\r\n', '\n'));
    expect(message.html((_, index) => `/${'x'.repeat(80)}${index}=`)).toBe(
      ['/1', 'mailto:x@y.example', 'https://x.example/?a=1'].reduce(
        (text, link, index) =>
          text.replace(`"${link}"`, `"/${'x'.repeat(80)}${[0, 1, 3][index]}="`),
        written.replace('href=""', `href="/${'x'.repeat(80)}2="`),
      ),
    );
  });

  const uncertain = Buffer.from('<a href="https://x.example">\xff', 'latin1').toString('base64');
  test.each([
    ['no HTML part', 'Content-Type: text/plain\n\nhttps://x.example\n'],
    ['uncertain text', `Content-Type: text/html; charset=utf-8\n${BASE64}\n\n${uncertain}\n`],
    [
      'a signature',
      'DKIM-Signature: v=1\nContent-Type: text/html\n\n<a href="https://x.example">\n',
    ],
  ])('is not there with %s', (_, source) => {
    expect(read(source).message.html(() => 'T')).toBeUndefined();
  });
});
