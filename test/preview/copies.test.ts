import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Copies, type NewsletterCopy } from '../../src/preview/copies.ts';

let added: { campaign: string; skeleton: string; days: number }[];
let copies: Copies;
/** How many HTML parts were asked for. */
let looks: number;

beforeEach(async () => {
  // What is imported on demand is there, so that only timers pass the time.
  await import('../../src/preview/skeleton.ts');
  await import('../../src/preview/versions.ts');
  vi.useFakeTimers();
  added = [];
  looks = 0;
  copies = new Copies({
    add: async (campaign, skeleton, days) => void added.push({ campaign, skeleton, days }),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function copyFor(
  recipient: string,
  text = 'x',
  more: Partial<NewsletterCopy> = {},
): NewsletterCopy {
  return {
    campaign: 'news',
    recipients: [recipient],
    days: 90,
    links: 2,
    html(hrefOf) {
      looks++;
      const link = hrefOf({ position: 1, label: 'Shop' });
      return `<p>${text}</p><a href="${link}">Shop</a><a href="${hrefOf(undefined)}">other</a>`;
    },
    ...more,
  };
}

/** Offers a copy, and lets the time pass that one takes. */
async function send(...offered: Parameters<typeof copyFor>): Promise<void> {
  copies.offer(copyFor(...offered));
  await vi.advanceTimersByTimeAsync(1_000);
}

test('nothing is kept before a second copy comes to another recipient', async () => {
  await send('anna@x.example', 'Dear Anna');
  await send('Anna@X.example', 'Dear Anna');
  expect(looks).toBe(2);
  expect(added).toEqual([]);
  await send('bob@x.example', 'Dear Bob');
  expect(added).toEqual([
    {
      campaign: 'news',
      days: 90,
      skeleton: expect.stringMatching(
        /^<div><p>[█ ]+<\/p><a data-link="1" data-label="[\w-]{12}">Shop<\/a><a>other<\/a><\/div>$/,
      ),
    },
  ]);
});

test('is written again only when a copy differs where others did not', async () => {
  await send('a@x.example', 'Hello');
  await send('b@x.example', 'Hello');
  await send('c@x.example', 'Hello');
  expect(added.map(({ skeleton }) => skeleton)).toEqual([expect.stringContaining('Hello')]);
  await send('d@x.example', 'Goodbye');
  expect(added).toHaveLength(2);
  expect(added[1]?.skeleton).not.toMatch(/Hello|Goodbye/);
});

test('a copy to several is of another recipient only if none of them had one', async () => {
  const both = { recipients: ['a@x.example', 'b@x.example'] };
  await send('', 'Dear A and B', both);
  await send('b@x.example', 'Dear A and B');
  expect(added).toEqual([]);
  const many = Array.from({ length: 21 }, (_, n) => `${n}@x.example`);
  await send('', 'Dear all', { recipients: many });
  expect(looks).toBe(2);
});

test('one copy at a time is looked at, after the answer, and a few per second', async () => {
  for (let n = 0; n < 50; n++) copies.offer(copyFor(`${n}@x.example`));
  expect(looks).toBe(0);
  await vi.advanceTimersByTimeAsync(60);
  expect(looks).toBe(1);
  for (let ms = 0; ms < 1_000; ms += 10) {
    copies.offer(copyFor(`${ms}@y.example`));
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(looks).toBeLessThanOrEqual(3);
});

test('a newsletter that is known is looked at once per minute, another one at once', async () => {
  for (let n = 0; n < 20; n++) await send(`${n}@x.example`);
  expect(looks).toBe(6);
  await send('a@y.example', 'x', { links: 3 });
  await send('a@y.example', 'x', { campaign: 'other' });
  expect(looks).toBe(8);
  await vi.advanceTimersByTimeAsync(60_000);
  await send('b@y.example');
  await send('c@y.example');
  expect(looks).toBe(9);
});

test('a store that is away gets what copies share with the next one', async () => {
  let isAway = true;
  const kept: string[] = [];
  copies = new Copies({
    async add(_, skeleton) {
      if (isAway) throw new Error('away');
      kept.push(skeleton);
    },
  });
  const complaints = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await send('a@x.example');
  await send('b@x.example');
  isAway = false;
  await send('c@x.example');
  complaints.mockRestore();
  expect(kept).toHaveLength(1);
});

test('copies of many newsletters take no more memory than some', async () => {
  for (let n = 0; n < 40; n++) await send('a@x.example', 'x', { campaign: `${n}` });
  for (let n = 0; n < 40; n++) await send('b@x.example', 'x', { campaign: `${n}` });
  // The first of a campaign are forgotten, so the second are the first again.
  expect(added.length).toBeLessThan(32);
});
