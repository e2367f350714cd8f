// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of template engines
import { describe, expect, test } from 'vitest';
import { openMessage } from '../../src/message/open-message.ts';
import { holdsPlaceholder, isPlaceholderHost } from '../../src/message/placeholders.ts';
import type { MessageOptions } from '../../src/message/reading-options.ts';
import { costOf, expectGrowthWithBytes } from '../products/growth.ts';

/** As template engines and mailing systems write them. */
const PLACEHOLDERS = [
  '{{x}}',
  '#email#',
  '#opt-in#',
  "##DATE:type='2',language='de'##",
  "[agnDB column='MAIL']",
  '[agnEMAIL]',
  '{{ user.name }}',
  '{{{x}}}',
  '{{#if x}}',
  '{{',
  '{% if x %}',
  '{%- x -%}',
  '{x}',
  '{$x}',
  '{!Contact.Email}',
  '{contact.email}',
  '{formfield=name}',
  '{contactfield=email|true}',
  '{unsubscribe_url}',
  '{first name}',
  '{0}',
  '${x}',
  "${user['mail']}",
  '#{x}',
  '@{x}',
  '*|X|*',
  '*|MERGE1:name|*',
  '*|X',
  '%%x%%',
  '%%=v(@x)=%%',
  '%%[ set @x ]%%',
  '%recipient.x%',
  '%X%',
  '%unsubscribe_url%',
  '%ADDRESS%',
  '%(x)s',
  '[[x]]',
  '[[var:x]]',
  '[[data:x:"y"]]',
  '[FIRST_NAME]',
  '[email]',
  '[Name|fallback=]',
  '[Name,fallback=]',
  '[first name, fallback=friend]',
  '[% x %]',
  '<%= x %>',
  '<% x %>',
  '<?= $x ?>',
  '<<x>>',
  '<<First Name>>',
  '<x>',
  '##x##',
  '###email###',
  '#recipient:mail#',
  '~Contact.Id~',
  '$UNSUB$',
  '$id$',
  '@FIRSTNAME@',
];

const PLACES = [
  (x: string) => `https://o.example/${x}`,
  (x: string) => `https://o.example/a/${x}/b`,
  (x: string) => `https://o.example/?u=${x}`,
  (x: string) => `https://o.example/?a=b&u=${x}&c=d`,
  (x: string) => `https://o.example/?${x}`,
  (x: string) => `https://o.example/#${x}`,
  (x: string) => `https://o.example/a-${x}`,
];

describe.each(PLACEHOLDERS)('%s', (placeholder) => {
  test.each(PLACES.map((place) => place(placeholder)))('%s', (link) => {
    expect(holdsPlaceholder(link)).toBe(
      !['[FIRST_NAME]', '[email]'].includes(placeholder) || !/\w\[/.test(link),
    );
  });
});

test.each(['?u=-name-', '?a=b&u=-first_name-&c=d', '?u=-x-#y', '#u=-x-'])(
  '%s: a value between hyphens',
  (rest) => {
    expect(holdsPlaceholder(`https://o.example/${rest}`)).toBe(true);
    expect(reasonOf('text/html', inHtml(`https://o.example/${rest}`))).toBe('placeholder');
  },
);

/** With all signs escaped, as some editors do. */
const escaped = (text: string) =>
  text.replace(
    /[^\w.]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );

test.each(
  PLACEHOLDERS.filter((placeholder) => !/^(%[a-z(]|<x>|[~$@]\w|#[\w-]+#)/i.test(placeholder)),
)('%s with escapes', (placeholder) => {
  expect(holdsPlaceholder(`https://o.example/?u=${escaped(placeholder)}`)).toBe(true);
  expect(holdsPlaceholder(`https://o.example/${escaped(placeholder).toLowerCase()}`)).toBe(true);
});

test.each([
  'https://o.example/',
  'https://o.example/?filter[name]=x&filter[a][b]=y&list[]=1&list[0]=2',
  'https://o.example/?filter%5Bname%5D=x&filter%5Ba%5D%5Bb%5D=y&list%5B%5D=1',
  'https://o.example/?q={"a":1,"b":{"c":[1,2]}}',
  'https://o.example/?q=%7B%22a%22%3A1%2C%22b%22%3A%7B%22c%22%3A%5B%5B1%2C2%5D%5D%7D%7D',
  'https://o.example/?q={%22a%22:1}&x=[%22b%22]',
  'https://o.example/_layouts/15/Doc.aspx?sourcedoc=%7B3F2504E0-4F89-11D3-9A0C-0305E82C3301%7D&action=view',
  'https://o.example/?id={af2504e0-4f89-11d3-9a0c-0305e82c3301}',
  'https://o.example/%E4%BD%A0%E5%A5%BD/%C3%A9%C3%A8',
  'https://o.example/?q=100%25%20off&r=50%25',
  'https://o.example/?q=caf%C3%A9%20ol%C3%A9',
  'https://o.example/a-b-c/-d-/e_f__g__/~user/~',
  'https://o.example/@user@social.example/112233',
  'https://o.example/?a=-1-&b=-c&d=e-&f=-g-h&i=-&j=--&k=-l-/m',
  'https://o.example/?a=x-b-&c-=d-',
  'https://o.example/?$filter=a%20eq%20b&$top=5&$skip=10',
  'https://o.example/?$filter=a&$b=c$d$e',
  'https://o.example/?$a$&b=@x&c=@d@e',
  'https://o.example/wiki/C++_(language)#Section_(a)',
  'https://o.example/#/a/b?c=d#e',
  'https://o.example/#!/a/b',
  'https://o.example/page#top',
  'https://o.example/?q=%23a%23b',
  'https://o.example/a*b*c|d|e*',
  'https://o.example/?a=1|2|3&b=*',
  'https://o.example/?q=<b>'.replace('<b>', '%3Cb%3Ehi%3C%2Fb%3E'),
  'https://o.example/[2001:db8::1]/x',
  'https://[fe80::1]:8080/x',
  'https://o.example/maps/@48.1,11.5,15z/data=!3m1!4b1!4m5!3m4!1s0x0:0x0!8m2',
  'https://o.example/?t=%2Fa%2Fb%3Fc%3Dd%26e%3Df%23g',
  'https://o.example/?url=https%3A%2F%2Fp.example%2F%3Fa%255Bb%255D%3D1',
  'https://o.example/?sig=AbC%2BdEf%2Fg%3D%3D&exp=1700000000',
  'https://o.example/?range=[1,2]&r=(1)&s={1,2}&t={}',
  'https://o.example/a;b=c;d/e:f',
  'https://o.example/%7Euser/%2A',
])('%s is an ordinary link', (link) => {
  expect(holdsPlaceholder(link)).toBe(false);
});

/** Why the one link of a part is left alone. */
function reasonOf(type: string, body: string, options: MessageOptions = {}) {
  const open = openMessage([{ name: 'Content-Type', value: `${type}; charset=utf-8` }], options);
  open.write(Buffer.from(body));
  return open.end().links.map(({ reason }) => reason)[0];
}

const inHtml = (link: string) => `<a href="${link}">x</a>`;

describe('whatever the option, a host and a whole link are left alone', () => {
  test.each([
    'https://{{host}}/x',
    'http://${host}/x',
    'http://{unsubscribe}',
    'http://newsletter_unsubscribe_url',
    'https://{%if%}o.example/',
    'https://[domain]/x',
    'https://-sub-/x',
    'https://#{host}/x',
    'https://<%= host %>/',
    'https://__host__/',
    'https://:host/',
    'https://%7B%7Bhost%7D%7D/',
    'https://%host%/',
    'https://a.{{x}}.example/',
    'https://{{user}}@o.example/',
    '<%= url %>',
    '{{ base }}/path',
    '{{{url}}}',
    '*|ARCHIVE|*?x=1',
    '[unsubscribe]',
    '%unsubscribe_url%',
    '${url}',
    '#{url}',
    '##url##',
    '%7B%7B%20url%20%7D%7D',
  ])('%s', (link) => {
    const base = '<base href="https://b.example/">';
    expect(reasonOf('text/html', inHtml(link))).toBe('placeholder');
    expect(reasonOf('text/html', base + inHtml(link))).toBe('placeholder');
    expect(reasonOf('text/html', inHtml(link), { placeholders: 'track' })).toMatch(
      /^(placeholder|invalid-url)$/,
    );
    expect(reasonOf('text/html', base + inHtml(link), { placeholders: 'track' })).toMatch(
      /^(placeholder|invalid-url|relative)$/,
    );
  });

  test.each([
    'http://intranet/x',
    'https://my_site.o.example/',
    'https://a-b.example:80/',
    'https://u_v@o.example/',
  ])('%s is a host', (link) => {
    expect(reasonOf('text/html', inHtml(link))).toBe(undefined);
  });
});

test('the option decides about the rest of a link', () => {
  const link = inHtml('https://o.example/?u={{id}}');
  expect(reasonOf('text/html', link)).toBe('placeholder');
  expect(reasonOf('text/html', link, { placeholders: 'leave' })).toBe('placeholder');
  expect(reasonOf('text/html', link, { placeholders: 'track' })).toBe(undefined);
  const relative = `<base href="https://b.example/">${inHtml('x?u={{id}}')}`;
  expect(reasonOf('text/html', relative)).toBe('placeholder');
  expect(reasonOf('text/html', relative, { placeholders: 'track' })).toBe(undefined);
});

test.each([
  '{{x}}',
  '{{ x }}',
  '{% x %}',
  '{x}',
  '${ x }',
  '*|X|*',
  '%%x%%',
  '[[x]]',
  '[[ x ]]',
  '[% x %]',
  '<%= x %>',
  '<<x>>',
  '##x##',
  '%recipient.x%',
  '<?= $x ?>',
  '$x$',
  '@X@',
  '[x,fallback=]',
])('in text, a URL with %s', (placeholder) => {
  for (const before of ['', '?u=', 'a/']) {
    const text = `See https://o.example/${before}${placeholder} now`;
    expect(reasonOf('text/plain', text)).toMatch(/^(placeholder|unclear-end)$/);
  }
});

test('in text, a tag is a placeholder only where it is the value of a parameter', () => {
  expect(reasonOf('text/plain', 'See https://o.example/?u=<id> now')).toBe('placeholder');
  expect(reasonOf('text/plain', 'See https://o.example/?u=1<br>')).toBe(undefined);
  expect(reasonOf('text/plain', 'See https://o.example/<br>')).toBe(undefined);
});

test('a long user of a URL takes no longer than its length', async () => {
  const cost = (length: number) => {
    const authority = `${'0_'.repeat(length / 2)}-@a.example`;
    return costOf({ bytes: length, run: () => Number(isPlaceholderHost(authority)) });
  };
  await expectGrowthWithBytes(['milliseconds'], async () => [
    await cost(20_000),
    await cost(80_000),
  ]);
});
