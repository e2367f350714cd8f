import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lines } from './oracle/obedient-filter.ts';

/**
 * A dialogue of a `.testcase` file: what goes in, and what must come out whichever MTA is between.
 *
 *     # Comments, and then fields:
 *     mail: sender@sender.test
 *     rcpt: one@example.net
 *     rcpt: two@example.net 550       (the code expected at this RCPT, where it is not 250)
 *     reply: 250                      (the code that ends the transaction: at MAIL, or after the message)
 *     sendmail: 554                   (that code, where Sendmail's own word is another)
 *     from: sender@sender.test        (the envelope that is delivered, where it is not what went in)
 *     to: one@example.net
 *     result: delivered               (or: nothing, quarantined)
 *     --- message
 *     the message; its "X-Do:" fields are orders to the filter (oracle/obedient-filter.ts)
 *     --- delivered
 *     the message that comes out, without the MTAs' Received fields; `@lines N` is the body of that order.
 *     Left out, it is the one that went in.
 *
 * Files are latin1 with LF; line ends become CRLF. `\xHH` is a byte, and a final `\` keeps blanks at a line's end.
 */
export interface Dialogue {
  readonly name: string;
  readonly mail: string;
  readonly rcpts: readonly { readonly address: string; readonly code: number }[];
  readonly reply: number;
  readonly sendmailReply: number;
  readonly result: 'delivered' | 'nothing' | 'quarantined';
  readonly from: string;
  readonly to: readonly string[];
  readonly message: Buffer;
  readonly delivered: Buffer;
}

/** Every dialogue of the folder `testcases`. */
export function readDialogues(): Dialogue[] {
  const folder = join(import.meta.dirname, 'testcases');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.testcase'))
    .sort()
    .map((file) => parse(file, readFileSync(join(folder, file), 'latin1')));
}

function parse(file: string, text: string): Dialogue {
  const sections = text.split(/^--- (\w+)\n/m);
  const section = (name: string): Buffer | undefined => {
    const at = sections.indexOf(name);
    return at < 0 ? undefined : toBytes(sections[at + 1] ?? '');
  };
  const fields = (sections[0] ?? '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name, value] = /^(\w+): *(.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`${file}: "${line}"`);
      return [name, value] as const;
    });
  const all = (name: string) =>
    fields.filter((field) => field[0] === name).map(([, value]) => value);
  const one = (name: string, otherwise: string) => all(name)[0] ?? otherwise;

  const known = ['mail', 'rcpt', 'reply', 'sendmail', 'from', 'to', 'result'];
  const stray = fields.find(([name]) => !known.includes(name));
  if (stray !== undefined) throw new Error(`${file}: "${stray[0]}": expected one of ${known}`);
  const message = section('message');
  if (message === undefined) throw new Error(`${file}: a section "--- message" is missing`);
  const mail = one('mail', 'sender@sender.test');
  const rcpts = (all('rcpt').length > 0 ? all('rcpt') : ['reader@example.net']).map((value) => {
    const [address = '', code = '250'] = value.split(' ');
    return { address, code: Number(code) };
  });
  const accepted = rcpts.filter(({ code }) => code === 250).map(({ address }) => address);
  const result = one('result', 'delivered');
  if (result !== 'delivered' && result !== 'nothing' && result !== 'quarantined') {
    throw new Error(`${file}: result: "${result}"`);
  }
  return {
    name: file.replace(/\.testcase$/, ''),
    mail,
    rcpts,
    reply: Number(one('reply', '250')),
    sendmailReply: Number(one('sendmail', one('reply', '250'))),
    result,
    from: one('from', mail),
    to: all('to').length > 0 ? all('to') : accepted,
    message,
    delivered: section('delivered') ?? message,
  };
}

function toBytes(text: string): Buffer {
  const [, before, count] = /^([\s\S]*)@lines (\d+)\n$/.exec(text) ?? [];
  const bytes = (before ?? text)
    .replace(/\\$/gm, '')
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('\n', '\r\n');
  const rest = count === undefined ? Buffer.alloc(0) : lines(Number(count));
  return Buffer.concat([Buffer.from(bytes, 'latin1'), rest]);
}
