import { afterEach, expect, test, vi } from 'vitest';
import type { RedisConnection } from '../../../src/store/redis/connection.ts';
import { Keys } from '../../../src/store/redis/keys.ts';
import { StoredTallies } from '../../../src/store/redis/stored-tallies.ts';
import { type Table, Tallies } from '../../../src/store/tallies.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** A row that is added to a table: the key of the table, the number of the piece, and the row. */
type Added = readonly [table: string, piece: number, row: string];

/** @param added receives all rows */
function open(added: Added[] = []): StoredTallies {
  const client = {
    async eval(_script: string, tables: number, ...args: (string | number)[]) {
      const keys = args.splice(0, tables).map(String);
      args.shift();
      for (const key of keys) {
        const [, , , piece, count] = args.splice(0, 5).map(Number);
        const rows = args.splice(0, 2 * (count ?? 0));
        for (let at = 0; at < rows.length; at += 2) {
          added.push([key, piece ?? -1, String(rows[at])]);
        }
      }
      return [0, keys.map(() => 0)];
    },
  };
  return new StoredTallies({
    isCluster: false,
    keys: new Keys(''),
    run: (send: (to: typeof client) => Promise<unknown>) => send(client),
  } as unknown as RedisConnection);
}

test('campaigns get tables of their own again each day, also when the clock was ahead', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const stored = open();
  const hasTables = (day: string, campaign: string) => {
    const tallies = stored.newTallies();
    const counted = {
      day,
      hour: `${day}T00`,
      campaign,
      pathway: '',
      recipientDomain: '',
      tags: [],
    };
    tallies.add(counted, { messages: 1 });
    return tallies.take().some(({ table }) => table.scope?.value === campaign);
  };
  for (const day of ['2031-01-01', '2026-11-30', '2026-12-01']) {
    vi.setSystemTime(new Date(day));
    for (let n = 0; n < 5_000; n++) expect(hasTables(day, `${n}`)).toBe(true);
    expect(hasTables(day, 'one more')).toBe(false);
  }
});

test('the pieces of a table are the same, whatever other tables there are', async () => {
  const tables: Table[] = ['a', 'b', 'c'].map((value) => ({
    ...{ day: '2026-11-30', by: 'position' },
    scope: { by: 'campaign', value },
  }));
  const piecesOfLast = async (some: readonly Table[]) => {
    const tallies = new Tallies(10_000);
    for (const table of some) {
      for (let n = 0; n < 170; n++) tallies.addRow(table, `html ${n} x`, { clicks: 1 });
    }
    const added: Added[] = [];
    await open(added).add(tallies, '1');
    const key = new Keys('').table(some.at(-1) as Table);
    return added.filter(([table]) => table === key);
  };
  const alone = await piecesOfLast(tables.slice(2));
  expect(alone).toHaveLength(170);
  expect(await piecesOfLast(tables)).toEqual(alone);
  expect(await piecesOfLast(tables.slice(1))).toEqual(alone);
});
