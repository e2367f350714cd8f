import fc from 'fast-check';
import { parseFragment } from 'parse5';
import { expect, test } from 'vitest';
import { type Content, html, shownName } from '../../src/web/html.ts';

test.each<[string, Content, string]>([
  ['markup', '<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
  ['quotes', `" onload='x' &`, '&quot; onload=&#39;x&#39; &amp;'],
  ['controls', 'a\0b\u001bc\u0085d', 'a\ufffdb\ufffdc\ufffdd'],
  ['half of a pair', 'a\ud83db', 'a\ufffdb'],
  ['a number', 1.5, '1.5'],
  ['nothing', undefined, ''],
  ['not', false, ''],
  ['a list', ['<', html`<b>${'>'}</b>`, [2]], '&lt;<b>&gt;</b>2'],
])('%s', (_name, value, expected) => expect(html`${value}`.toString()).toBe(expected));

test('whatever a name holds, it is one text and one attribute to a browser', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const { childNodes } = parseFragment(html`<p title="${name}">${name}</p>`.toString());
      const [first, ...more] = childNodes;
      const expected = name.replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd');
      if (first === undefined || !('attrs' in first)) throw new Error('no element');
      const text = first.childNodes.map((node) => ('value' in node ? node.value : '?')).join('');
      expect([more, first.attrs, text]).toEqual([
        [],
        [{ name: 'title', value: expected }],
        expected,
      ]);
    }),
  );
});

test.each([
  ['', '<i>(none)</i>'],
  ['Spring', '<bdi>Spring</bdi>'],
  ['Invoice \u202egnp.exe\u2069', '<bdi>Invoice \ufffdgnp.exe\ufffd</bdi>'],
  ['😀'.repeat(120), `<bdi>${'😀'.repeat(120)}</bdi>`],
])('the name %j', (name, expected) => expect(shownName(name).toString()).toBe(expected));

test('a long name is cut', () => {
  const shown = shownName(`<${'😀'.repeat(10_000)}`).toString();
  expect(shown).toContain(`&lt;${'😀'.repeat(119)}…</bdi>`);
  expect(shown.length).toBeLessThan(2000);
});
