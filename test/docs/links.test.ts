import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const pages = [
  ...readdirSync(root),
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => join(root, name));

describe.each(pages.map((page) => relative(root, page)))('%s', (name) => {
  const text = readFileSync(join(root, name), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link));

  test('links to pages and sections that exist', () => {
    const dead = links.filter((link) => {
      const [path = '', section] = link.split('#');
      const target = path === '' ? join(root, name) : join(root, dirname(name), path);
      return !existsSync(target) || (section !== undefined && !sectionsOf(target).has(section));
    });
    expect(dead).toEqual([]);
  });

  test('has lines of at most 100 characters, but for tables and code', () => {
    const prose = text.replace(/^```.*?^```$/gms, '').replace(/^ {4}.*$/gm, '');
    const long = prose.split('\n').filter((line) => line.length > 100 && !line.startsWith('|'));
    expect(long).toEqual([]);
  });
});

/** The anchors of a page's headings, as GitHub makes them. */
function sectionsOf(page: string): ReadonlySet<string> {
  const headings = readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}
