import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BookedClicks } from '../../../src/store/booked-clicks.ts';
import type { CountedClick } from '../../../src/store/counters.ts';
import { parsePortion, takePortion } from '../../../src/store/redis/click-portion.ts';

const text = fc.string({ unit: 'binary', maxLength: 400 });
const clicks = fc.array(
  fc.record({
    messageId: fc.constantFrom('Zm9vYmFyYmF6cXV4', 'Zm9vYmFyYmF6cXV5'),
    link: text,
    campaign: text,
    tags: fc.array(text, { maxLength: 3 }),
    part: fc.constantFrom('html' as const, 'text' as const),
    position: fc.option(fc.nat(200), { nil: undefined }),
    time: fc.date({
      min: new Date('2026-01-01'),
      max: new Date('2027-01-01'),
      noInvalidDate: true,
    }),
    count: fc.integer({ min: 1, max: 1000 }),
    isAutomatic: fc.boolean(),
  }),
  { minLength: 1, maxLength: 20 },
);

function taken(
  made: readonly (Omit<CountedClick, 'time'> & { time: Date; isAutomatic: boolean })[],
) {
  const booked = new BookedClicks();
  for (const { time, isAutomatic, ...click } of made) {
    booked.add({ ...click, time: time.getTime() }, isAutomatic ? 'automatic' : 'people');
  }
  const portion = takePortion(booked);
  if (portion === undefined) throw new Error('nothing was booked');
  return portion;
}

test('a portion is read as it was written, whatever names senders gave', () => {
  fc.assert(
    fc.property(clicks, (made) => {
      const { text: written, portion } = taken(made);
      const read = parsePortion(written);
      expect(read.unreadable).toBe(0);
      // The whole text of a link is needed no more.
      const known = portion.messages.map(([id, links]) => [
        id,
        links.map(({ link: _, ...of }: (typeof links)[number] & { link?: string }) => of),
      ]);
      expect(read.messages).toEqual(known);
    }),
  );
});

test('of a damaged portion what can be read is counted', () => {
  const made = fc.sample(clicks, { numRuns: 1, seed: 1 })[0] ?? [];
  const { text: written } = taken(made);
  expect(parsePortion(`${written}\nnonsense\n`)).toMatchObject({ unreadable: 2 });
  for (const other of ['x', '{}', 'g123456789']) {
    expect(parsePortion(other)).toEqual({ messages: [], unreadable: 1 });
  }
});
