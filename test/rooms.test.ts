import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

/** The rows of the table of rooms in docs/architecture.md: a room, and what it may import. */
const rooms = [...read('docs/architecture.md').matchAll(/^\| `([a-z]+)\/`.*\| ([^|]*) \|$/gm)].map(
  ([, room = '', may = '']) => ({
    room,
    may,
    allowed: [...may.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  }),
);

/** The files that a room must not import, as the linter matches them. */
function forbidden(room: string, allowed: readonly string[]): string[] {
  if (room === 'service') return ['**/commands/**', '**/cli.ts'];
  if (room === 'commands') return ['**/cli.ts', '**/store/redis/**', '**/store/local/**'];
  if (room === 'milter') return ['**', '!node:*', '!./**'];
  const own = room === 'store' ? ['!../*.ts', '!../redis/**', '!../local/**'] : [];
  return ['../**', ...own, ...allowed.map((name) => `!**/${name.replace(/\/$/, '/**')}`)];
}

test('the linter enforces the table of rooms', () => {
  const { overrides } = JSON.parse(read('biome.json'));
  const rules = overrides.flatMap(
    ({ includes, linter }: { includes: string[]; linter: { rules: { style?: object } } }) =>
      'noRestrictedImports' in (linter.rules.style ?? {})
        ? [[includes.join(), linter.rules.style]]
        : [],
  );
  expect(rooms.length).toBeGreaterThan(10);
  expect(Object.fromEntries(rules)).toEqual(
    Object.fromEntries(
      rooms.map(({ room, may, allowed }) => {
        const message = `${room}/ may import: ${may.replaceAll('`', '')} (docs/architecture.md)`;
        const patterns = [{ group: forbidden(room, allowed), message }];
        const rule = { level: 'error', options: { patterns } };
        return [`src/${room}/**`, { noRestrictedImports: rule }];
      }),
    ),
  );
});
