import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  NotCounted,
  REPORT_BY,
  type ReportBy,
  type ReportQuery,
  type SentMessage,
} from '../../src/store/counters.ts';
import type { Store } from '../../src/store/store.ts';
import { MemoryCounters } from '../helpers/memory-store/counters.ts';
import { nextPortionId, settle } from '../helpers/settle.ts';

/** Noon of a day in the last two weeks, for which everything is kept. */
const at = (daysAgo: number, hour = 12) => {
  const today = new Date().toISOString().slice(0, 10);
  return Date.parse(`${today}T00:00:00Z`) - daysAgo * 86_400_000 + hour * 3_600_000;
};
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/** What counters promise. @param open gives the same store each time */
export function countersContract(open: () => Store, numRuns = 20): void {
  describe('counters', () => {
    test.each([
      ['(other)', '"(other)"'],
      ['(unknown)', '"(unknown)"'],
      ['a\0b\nc', 'a\ufffdb\ufffdc'],
      ['half \ud83d', 'half \ufffd'],
    ])('the campaign %j is counted by a name of its own', async (campaign, key) => {
      const { counters } = open();
      const facts = { time: at(3), campaign, pathway: campaign, tags: [campaign] };
      counters.sent({ ...facts, links: 1 });
      const click = { messageId: campaign, part: 'html', link: campaign, count: 1 } as const;
      counters.book({ ...facts, ...click }, 'people');
      await settle(counters);
      const report = { rows: [{ key, clicks: 1 }], total: { clicks: 1 } };
      for (const by of ['campaign', 'pathway', 'tag', 'link'] as const) {
        const since = dayOf(facts.time);
        for (const name of [campaign, key]) {
          const query = { by, since, until: since, campaign: name };
          expect(await counters.report(query)).toMatchObject(report);
        }
      }
    });

    test('add up to a report, with people and machines apart', async () => {
      const { counters } = open();
      const [time, campaign, pathway] = [at(2), 'autumn', 'news'];
      const facts = { time, campaign, pathway, tags: ['vip', 'de'], recipientDomain: 'x.example' };
      for (let i = 0; i < 10; i++) counters.sent({ ...facts, links: 3 });
      const click = { ...facts, part: 'html', position: 0, link: 'Logo', count: 1 } as const;
      counters.book({ ...click, messageId: 'm1' }, 'automatic');
      counters.book({ ...click, messageId: 'm1', count: 4 }, 'people');
      const offer = { part: 'text', position: 1, link: 'Offer' } as const;
      counters.book({ ...click, ...offer, messageId: 'm1' }, 'people');
      counters.book({ ...click, messageId: 'm2' }, 'automatic');
      await settle(counters);
      counters.book({ ...click, messageId: 'm2' }, 'automatic');
      const other = { time: at(1), campaign: 'other', messageId: 'm3', link: 'x' };
      counters.book({ ...other, part: 'html', count: 1 }, 'people');
      await settle(counters);
      const day = dayOf(time);
      const query = { since: day, until: day } as const;
      const clicks = {
        clicks: 8,
        rawClicks: 3,
        uniqueClicks: 2,
        peopleClicks: 5,
        peopleRawClicks: 2,
        peopleUniqueClicks: 1,
        automaticClicks: 3,
      };
      const row = { messages: 10, links: 30, ...clicks };
      const keys = {
        campaign: ['autumn'],
        pathway: ['news'],
        day: [day],
        hour: [`${day}T12`],
        domain: ['x.example'],
        tag: ['de', 'vip'],
      };
      for (const [by, expected] of Object.entries(keys) as [ReportBy, string[]][]) {
        expect(await counters.report({ ...query, by }), by).toEqual({
          rows: expected.map((key) => ({ key, ...row })),
          total: { key: '', ...row },
          unreadable: 0,
        });
      }
      const logo = {
        ...{ clicks: 7, rawClicks: 2, uniqueClicks: 2 },
        ...{ peopleClicks: 4, peopleRawClicks: 1, peopleUniqueClicks: 1, automaticClicks: 3 },
      };
      const only = { clicks: 1, rawClicks: 1, uniqueClicks: 1 };
      const person = { peopleClicks: 1, peopleRawClicks: 1, peopleUniqueClicks: 1 };
      for (const one of [query, { ...query, campaign }]) {
        expect(await counters.report({ ...one, by: 'link' })).toEqual({
          rows: [
            { key: 'Logo', ...logo },
            { key: 'Offer', ...only, ...person, automaticClicks: 0 },
          ],
          total: { key: '', ...clicks },
          unreadable: 0,
        });
        const { rows } = await counters.report({ ...one, by: 'part' });
        expect(rows.map(({ key, clicks: all }) => [key, all])).toEqual([
          ['html', 7],
          ['text', 1],
        ]);
      }
      const places = await counters.report({ ...query, campaign, by: 'position' });
      expect(places.rows.map(({ key, peopleClicks }) => [key, peopleClicks])).toEqual([
        ['html 0 Logo', 4],
        ['text 1 Offer', 1],
      ]);
      const later = { by: 'day', campaign: 'other' } as const;
      expect((await counters.report(later)).rows).toEqual([
        { key: dayOf(at(1)), messages: 0, links: 0, ...only, ...person, automaticClicks: 0 },
      ]);
      const sentAt = { messageId: 'm1', injectionTime: 0 };
      expect(await counters.clicksOf(sentAt, ['none', 'Logo'])).toEqual([0, 5]);
    });

    test('count a portion once, however often it is counted', async () => {
      const { counters } = open();
      const facts = { time: at(6, 3), campaign: 'once', tags: ['once'] };
      const click = { ...facts, part: 'html', position: 0, count: 1 } as const;
      const portion = async (links: readonly string[]) => {
        for (const link of links) counters.book({ ...click, messageId: 'once', link }, 'people');
        return counters.portion();
      };
      const links = Array.from({ length: 250 }, (_, n) => `Link ${n}`);
      const counted: [text: string, id: string][] = [];
      for (const clicked of [links, ['Link 0', 'Link 0']]) {
        const text = await portion(clicked);
        counted.push([text, nextPortionId()]);
        // A process that was stopped may count earlier portions again.
        for (let again = 0; again < 3; again++) {
          for (const one of counted) await counters.count(...one);
        }
      }
      expect(await counters.portion()).toBe('');
      const query = { campaign: 'once', since: dayOf(facts.time), until: dayOf(facts.time) };
      const once = { clicks: 252, rawClicks: 250, uniqueClicks: 1, peopleRawClicks: 250 };
      for (const by of ['day', 'hour', 'tag'] as const) {
        const { total } = await counters.report({ by, ...query });
        expect(total, by).toMatchObject(once);
      }
      const { rows } = await counters.report({ by: 'link', ...query });
      expect(rows.find(({ key }) => key === 'Link 0')).toMatchObject({ clicks: 3, rawClicks: 1 });
      const of = { messageId: 'once', injectionTime: facts.time / 1000 };
      expect(await counters.clicksOf(of, ['Link 0', 'Link 249'])).toEqual([3, 1]);
    });

    test('of anything are those of a list of everything', async () => {
      const { counters } = open();
      const oracle = new MemoryCounters();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(history, async ({ messages, clicks }) => {
          // Names of this run alone: reports on them are not about the others.
          const inRun = (text: string) => `${run} ${text}`;
          run++;
          const all = messages.map((message, which) => ({
            ...message,
            campaign: inRun(NAMES[which % 2] ?? ''),
            ...(message.pathway && { pathway: inRun(message.pathway) }),
            ...(message.tags && { tags: message.tags.map(inRun) }),
          }));
          for (const one of [counters, oracle]) {
            for (const message of all) one.sent(message);
            for (const { which, link, by, isLast, ...click } of clicks) {
              const { links: _, ...facts } = all[which] ?? {};
              const place = PLACES[link] ?? PLACES[0];
              one.book({ ...facts, ...place, ...click, messageId: inRun(`${which}`) }, by);
              if (isLast) await settle(one);
            }
            await settle(one);
          }
          const filters = [
            ...NAMES.slice(0, 2).map((text) => ({ campaign: inRun(text) })),
            ...NAMES.flatMap((text) => [{ pathway: inRun(text) }, { tag: inRun(text) }]),
            { campaign: inRun('news'), tag: inRun('news') },
          ];
          for (const filter of filters) {
            for (const by of REPORT_BY) {
              const query = { by, ...filter, since: dayOf(at(6)), until: dayOf(at(0)) };
              const report = counters.report(query);
              const about = JSON.stringify(query);
              if (!isCounted(query)) await expect(report, about).rejects.toThrow(NotCounted);
              else expect(await report, about).toEqual(await oracle.report(query));
            }
          }
        }),
        { numRuns },
      );
    });
  });
}

/** Links of a message, some of them in both parts. */
const PLACES = [
  { link: 'Shop', part: 'html', position: 0 },
  { link: 'https://x.example/?a="\u0000"', part: 'html', position: 1 },
  { link: 'ü'.repeat(250), part: 'text' },
  { link: 'Blog', part: 'text', position: 17 },
] as const;
const NAMES = ['news', 'a "b" \u0001', 'ü'.repeat(250)] as const;
const name = fc.constantFrom(...NAMES);

/** What may be asked of one pathway or tag; of one campaign everything. */
const isCounted = ({ by, campaign, pathway, tag }: ReportQuery) =>
  (campaign !== undefined && tag === undefined) ||
  (campaign === undefined &&
    ['day', 'hour', 'campaign', 'link', pathway === undefined ? 'tag' : 'pathway'].includes(by));
/** Messages, and clicks on them in order of time: the facts of a message never change. */
const history = fc.record({
  messages: fc.array(
    fc
      .record({
        time: fc.nat(23).map((hour) => at(5, hour)),
        links: fc.nat(9),
        pathway: fc.option(name, { nil: undefined }),
        tags: fc.option(fc.uniqueArray(name, { minLength: 1 }), { nil: undefined }),
        recipientDomain: fc.option(fc.constantFrom('x.example', 'y.example'), { nil: undefined }),
      })
      .map((message) => present<SentMessage>(message)),
    { minLength: 4, maxLength: 4 },
  ),
  clicks: fc
    .array(
      fc.record({
        which: fc.nat(3),
        link: fc.nat(3),
        time: fc.nat(80).map((hours) => at(4, hours)),
        count: fc.integer({ min: 1, max: 1000 }),
        by: fc.constantFrom('people' as const, 'automatic' as const),
        isLast: fc.boolean(),
      }),
      { maxLength: 25 },
    )
    .map((clicks) => clicks.sort((a, b) => a.time - b.time)),
});

/** Without the members that are undefined. */
function present<T>(value: Readonly<Record<string, unknown>>): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}
