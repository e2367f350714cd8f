import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Words that make a sentence a promise. */
const PROMISES = /\b(?:never|always|nothing|nobody|every|only|at most|lost|loses?|refuse[sd]?)\b/i;

const pages = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'conf/clickmilter.conf',
];

/** A promise of a page, and the tests that show it: each a file, and a part of the title. */
interface Entry {
  readonly sentence: string;
  readonly tests: readonly (readonly [file: string, title: string])[];
  /** Why there is no test, where there is none. */
  readonly reason: string | undefined;
}

/** What promises.txt says of each page. */
const entries = new Map(
  read('test/docs/promises.txt')
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [page = '', ...lines] = section.trim().split('\n');
      const blocks = lines.join('\n').split(/\n(?=\S)/);
      return [page, blocks.filter((block) => block.trim() !== '').map(entryOf)] as const;
    }),
);

function entryOf(block: string): Entry {
  const [sentence = '', ...rest] = block.split('\n').map((line) => line.trim());
  const reason = rest.find((line) => line.startsWith('- '));
  const tests = rest
    .filter((line) => line !== '' && line !== reason)
    .map((line) => {
      const [file = '', ...title] = line.split(': ');
      return [`test/${file}`, title.join(': ')] as const;
    });
  return { sentence, tests, reason };
}

/** The options' help stands in the reference file and in its page alike. */
const sameText = (page: string) =>
  page === 'conf/clickmilter.conf' ? [page, 'docs/configuration.md'] : [page];

test('every page has its section', () => {
  expect([...entries.keys()].sort()).toEqual([...pages].sort());
});

describe.each(pages)('%s', (page) => {
  const known = entries.get(page) ?? [];
  const text = fold(prose(page).join(' '));

  test('still says each sentence', () => {
    expect(known.filter(({ sentence }) => !text.includes(fold(sentence)))).toEqual([]);
  });

  test('has tests for its promises, or a reason for none', () => {
    const missing = known.filter(
      ({ tests, reason }) =>
        (tests.length === 0) === (reason === undefined) ||
        tests.some(([file, title]) => !hasTitle(file, title)),
    );
    expect(missing).toEqual([]);
  });

  test('promises nothing else', () => {
    const listed = sameText(page)
      .flatMap((one) => entries.get(one) ?? [])
      .map(({ sentence }) => fold(sentence));
    const others = prose(page)
      .flatMap((block) => fold(block).split(/(?<=[.;!?])\s+/))
      .filter((sentence) => sentence.includes(' ') && PROMISES.test(sentence))
      .filter(
        (sentence) => !listed.some((one) => one.includes(sentence) || sentence.includes(one)),
      );
    expect(others).toEqual([]);
  });
});

/** The paragraphs, list items and table cells of a page, without its headings and code. */
function prose(page: string): string[] {
  const text = page.endsWith('.md')
    ? read(page)
        .replace(/^```.*?^```$/gms, '')
        .replace(/^ {4}\S.*$/gm, '')
        .replace(/^#.*$/gm, '')
    : read(page)
        .replace(/^(?!(?:\s*#)?\s*# \S).*$/gm, '')
        .replace(/^[\s#]*# /gm, '');
  return text
    .split(/\n\s*\n|\n(?:[*-]|\d+\.) |\n(?=\|)/)
    .map((block) => block.replace(/^(?:[*-]|\d+\.) /, ''))
    .flatMap((block) => (block.trim().startsWith('|') ? block.split('|') : [block]));
}

/** White space is one space, and there are neither escapes nor bold words. */
function fold(text: string): string {
  return text
    .replaceAll('**', '')
    .replace(/\\([^\w\s])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Whether a string outside comments has these words. */
function hasTitle(file: string, title: string): boolean {
  if (!existsSync(join(root, file)) || title === '') return false;
  return read(file)
    .split('\n')
    .some((line) => {
      const at = line.indexOf(title);
      return at > 0 && /^(?!\s*(?:\/\/|\*)).*['"`]/.test(line.slice(0, at));
    });
}
