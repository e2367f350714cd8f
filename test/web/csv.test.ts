import { load } from 'cheerio';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { printable } from '../../src/lib/printable.ts';
import { csvOf } from '../../src/web/csv.ts';
import { seededWeb } from '../helpers/seeded-web.ts';

/** The tables of the views, in their order. */
const TABLES = {
  '/': ['Clicks by hour', 'Clicks by day', 'Campaigns', 'Top links'],
  '/campaign': [
    'Clicks since the first message',
    'Clicks by hour',
    'Clicks by day',
    'Clicked links that the picture does not show',
    'Links',
    'Places of links',
    'Parts',
    'Recipients’ domains',
  ],
  '/rows': ['Rows by campaign'],
  '/message': ['The tracked links of the message', 'Options and where they are set'],
  '/live': ['The last clicks'],
} as const;

/** The cells of CSV; no line break is in a cell. */
const cellsOf = (line: string) =>
  [...`,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain,
  );

/** Whether a cell of CSV has what an element of a table shows. */
function isSame(
  { time, value }: { readonly time?: string | undefined; value: string },
  cell: string,
) {
  if (time !== undefined) {
    const isStart = /^\d{4}-\d\d-\d\d/.test(cell) && time.startsWith(cell);
    return isStart || Number(cell) * 1000 === Date.parse(time);
  }
  const isCut = value.endsWith('…') && cell.startsWith(value.slice(0, -1));
  return isCut || cell === value || cell === `'${value}`;
}

test('every table of every view has its rows as CSV', async () => {
  // Tables of hours end now: it stays the same hour.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-10T12:34:56Z') });
  onTestFinished(() => void vi.useRealTimers());
  const { json, get, examples } = await seededWeb();
  const { body: document } = await json('/openapi.json');
  const seen: Record<string, string[]> = {};
  for (const path of Object.keys(document.paths)) {
    const content = document.paths[path].get?.responses['200'].content ?? {};
    if (!('text/html' in content && 'application/json' in content)) continue;
    const { statusCode, body } = await get(examples[path] ?? path);
    expect([path, statusCode]).toEqual([path, 200]);
    const $ = load(body);
    for (const table of $('table').toArray()) {
      const box = $(table).closest('.table');
      const name = box.attr('aria-label') ?? '';
      seen[path] = [...(seen[path] ?? []), name];
      const address = box.next('p').find('a[download]').attr('href');
      expect(address, `${path} ${name}`).toBeDefined();
      const csv = await get(address ?? '');
      expect([csv.statusCode, csv.headers['content-type']]).toEqual([
        200,
        'text/csv; charset=utf-8',
      ]);
      const lines = csv.body.trimEnd().split('\r\n').slice(1).map(cellsOf);
      const rows = $(table).find('tbody tr').toArray();
      expect([name, lines.length]).toEqual([name, rows.length]);
      for (const row of rows) {
        const values = $(row)
          .find('data, time, bdi, code')
          .toArray()
          // Shares are quotients of counts that the CSV has.
          .filter((one) => !$(one).text().endsWith('%'))
          .map((one) => ({
            time: $(one).attr('datetime'),
            value: $(one).attr('value') ?? $(one).text(),
          }));
        expect(values.length, name).toBeGreaterThan(0);
        // A line for this row alone, wherever it is: a view may sort by clicks.
        const at = lines.findIndex((cells) =>
          values.every((value) => cells.some((cell) => isSame(value, cell))),
        );
        expect(at, `${path} ${name}: ${$(row).text()} in ${csv.body}`).not.toBe(-1);
        lines.splice(at, 1);
      }
    }
  }
  expect(seen).toEqual(TABLES);
});

test('columns have their values, and what is not known is empty', () => {
  const rows = [
    { a: 1, b: true, c: ['x', 'y'], d: '=1' },
    { a: null, c: 'a,"b', other: 'not a column' },
  ];
  expect(csvOf(['a', 'b', 'c', 'd'], rows)).toBe('a,b,c,d\r\n1,true,x y,\'=1\r\n,,"a,""b",\r\n');
});

test('whatever a text holds, it is one cell and no formula', () => {
  const texts = fc.string({ unit: fc.oneof(fc.constantFrom(...`=+-@,;"' \r\n\t＝`), fc.string()) });
  fc.assert(
    fc.property(texts, (text) => {
      const [, line = '', ...rest] = csvOf(['a', 'b'], [{ a: text, b: 7 }]).split('\r\n');
      expect(rest).toEqual(['']);
      const [cell = '', last] = cellsOf(line);
      expect(last).toBe('7');
      expect(cell).not.toMatch(/^\s*[=+@\-＝]/);
      expect([printable(text), `'${printable(text)}`]).toContain(cell);
    }),
  );
});

test.each([
  ['/message.csv?table=links&find=nothing', 404],
  ['/message.csv?table=nothing&find=AAAAAAAAAAAAAAAA', 400],
  ['/message.csv?table=links', 400],
  ['/campaign.csv?table=since_first', 400],
  ['/campaign.csv?table=links&campaign=spring', 400],
  ['/rows.csv?by=link&gaps=filled', 400],
  ['/rows.csv?by=link&campaign=a&tag=b', 400],
  ['/live.csv?since=2026-01-01', 400],
])('%s answers %i', async (address, status) => {
  const { json } = await seededWeb();
  expect(await json(address)).toMatchObject({ status, body: { error: expect.any(String) } });
});
