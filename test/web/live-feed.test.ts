import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Detail, silent } from '../../src/lib/logger.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import type { TrackEvent } from '../../src/link/click-facts.ts';
import { StoreUnavailable } from '../../src/link/link-store.ts';
import { createLocalStore } from '../../src/store/local/store.ts';
import type { Store } from '../../src/store/store.ts';
import { LiveFeed, type LiveFeedOptions, RING, type Viewer } from '../../src/web/live-feed.ts';
import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { createMemoryStore } from '../helpers/memory-store/store.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';

const DETAILS: readonly Detail[] = ['none', 'domain', 'full'];

/** The line of a click event; its fields are those of a complete one, and these. */
function eventLine(id: string, fields: Partial<TrackEvent> = {}): string {
  const { msys } = toClickEvent(exampleClick(), {}, id);
  return JSON.stringify({ msys: { track_event: { ...msys.track_event, ...fields } } });
}

async function append(store: Store, ...events: readonly string[]): Promise<void> {
  const appender = await store.events.openAppender();
  await appender.append(events);
  await appender.close();
}

function openFeed(store: Pick<Store, 'events'>, options: Partial<LiveFeedOptions> = {}): LiveFeed {
  const feed = new LiveFeed({
    events: store.events,
    detail: () => 'full',
    logger: silent,
    rowOf: ({ event_id }) => `row ${event_id}`,
    lingerMs: 20,
    gatherMs: 1,
    ...options,
  });
  onTestFinished(() => feed.close());
  return feed;
}

class TestViewer implements Viewer {
  text = '';
  writableLength = 0;
  isGone = false;

  write(text: string) {
    this.text += text;
  }

  destroy() {
    this.isGone = true;
  }

  /** The data of all events of one name. */
  of(name: 'clicks' | 'state') {
    return [...this.text.matchAll(new RegExp(`event: ${name}\ndata: (.*)\n\n`, 'g'))].map(
      ([, data = '']) => JSON.parse(data),
    );
  }

  get ids(): readonly string[] {
    return this.of('clicks').flatMap(({ clicks }) =>
      clicks.map(({ event_id }: TrackEvent) => event_id),
    );
  }

  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  }
}

test('viewers see the last clicks, and each one that comes', async () => {
  const store = createMemoryStore();
  await append(store, eventLine('a'), eventLine('b'));
  const feed = openFeed(store);
  expect((await feed.state({}, 1)).clicks.map(({ event_id }) => event_id)).toEqual(['b']);
  const [early, late] = [new TestViewer(), new TestViewer()];
  await feed.watch(early);
  expect(early.ids).toEqual(['a', 'b']);
  await append(store, eventLine('c'));
  await expect.poll(() => early.ids).toEqual(['a', 'b', 'c']);
  const seen = early.lastId;
  await append(store, eventLine('d'));
  await expect.poll(() => early.ids).toEqual(['a', 'b', 'c', 'd']);
  await feed.watch(late, {}, seen);
  expect(late.ids).toEqual(['d']);
  expect(late.of('state')).toEqual([{ is_away: false }]);
});

test('without Redis, clicks that another process keeps in the journal are seen', async () => {
  const journal = await mkdtemp(join(tmpdir(), 'clickmilter-live-'));
  onTestFinished(() => rm(journal, { recursive: true }));
  const settings = {
    ...eventsDefaults,
    journal,
    blockList: join(journal, 'blocked'),
    optOuts: join(journal, 'opt-outs'),
  };
  const open = () => createLocalStore({ events: settings }, silent, noMetrics);
  const [redirect, web] = [open(), open()];
  await append(redirect, eventLine('before'));
  const feed = openFeed(web);
  const viewer = new TestViewer();
  await feed.watch(viewer);
  await append(redirect, eventLine('after'));
  await expect.poll(() => viewer.ids).toEqual(['before', 'after']);
  await feed.close();
  await Promise.all([redirect.close(), web.close()]);
});

test('a filter lets through what it is about, also of a flood and of what is reclassified', async () => {
  const store = createMemoryStore();
  const feed = openFeed(store, { gatherMs: 50 });
  const [all, spring, tagged] = [new TestViewer(), new TestViewer(), new TestViewer()];
  await feed.watch(all);
  await feed.watch(spring, { campaign: 'spring' });
  await feed.watch(tagged, { tag: 'vip' });
  const flood = Array.from({ length: 300 }, (_, n) => eventLine(`${n}`, { campaign_id: 'other' }));
  await append(store, eventLine('a'), ...flood);
  await expect.poll(() => all.ids.at(-1)).toBe('299');
  expect(all.ids).not.toContain('a');
  expect(spring.of('clicks')).toMatchObject([{ left_out: { people: 0, automatic: 0 } }]);
  await append(
    store,
    eventLine('b', { is_automatic: true, reclassifies: ['299'], rcpt_tags: ['x', 'vip'] }),
  );
  await expect.poll(() => all.ids.at(-1)).toBe('b');
  expect(all.of('clicks').at(-1).changed).toMatchObject([{ event_id: '299' }]);
  expect([spring.ids, tagged.ids]).toEqual([['a', 'b'], ['b']]);
  expect(spring.of('clicks').at(-1).changed).toEqual([]);
  const { clicks } = await feed.state({ campaign: 'other' }, 3);
  expect(clicks.map(({ event_id: id }) => id)).toEqual(['297', '298', '299']);
});

test('after a reload of detail, no tag is told any more', async () => {
  const store = createMemoryStore();
  let detail: Detail = 'full';
  const feed = openFeed(store, { detail: () => detail });
  const [tagged, all] = [new TestViewer(), new TestViewer()];
  await feed.watch(tagged, { tag: 'a' });
  await feed.watch(all);
  await append(store, eventLine('1'));
  await expect.poll(() => tagged.ids).toEqual(['1']);
  detail = 'domain';
  await append(store, eventLine('2'));
  await expect.poll(() => all.ids).toEqual(['1', '2']);
  expect(tagged.ids).toEqual(['1']);
});

test('one reader serves all viewers, and is closed after the last one has left', async () => {
  const store = createMemoryStore();
  const opened = vi.spyOn(store.events, 'openReader');
  const feed = openFeed(store);
  const viewers = [new TestViewer(), new TestViewer(), new TestViewer()];
  const leave = await Promise.all(viewers.map((viewer) => feed.watch(viewer)));
  expect(opened).toHaveBeenCalledTimes(1);
  const reader = opened.mock.results[0]?.value;
  const closed = vi.spyOn(reader, 'close');
  for (const one of leave.slice(1)) one?.();
  await feed.state();
  expect(closed).not.toHaveBeenCalled();
  leave[0]?.();
  await expect.poll(() => closed.mock.calls.length).toBe(1);
  await append(store, eventLine('while nobody looks'));
  const back = new TestViewer();
  await feed.watch(back);
  expect(back.ids).toEqual(['while nobody looks']);
  expect(opened).toHaveBeenCalledTimes(2);
});

test('there are at most so many viewers, also of those that come at once', async () => {
  const feed = openFeed(createMemoryStore(), { maxViewers: 2 });
  const all = await Promise.all([1, 2, 3].map(() => feed.watch(new TestViewer())));
  expect(all.map((leave) => leave !== undefined)).toEqual([true, true, false]);
  all[0]?.();
  expect(await feed.watch(new TestViewer())).toBeDefined();
});

test('a slow viewer is dropped, and the others go on', async () => {
  const store = createMemoryStore();
  const feed = openFeed(store);
  const [slow, quick] = [new TestViewer(), new TestViewer()];
  await feed.watch(slow);
  await feed.watch(quick);
  slow.writableLength = 1024 * 1024;
  await append(store, eventLine('a'));
  await expect.poll(() => quick.ids).toEqual(['a']);
  expect(slow).toMatchObject({ isGone: true });
  expect(slow.ids).toEqual([]);
});

test('of a flood, viewers get the newest clicks and how many the others were', async () => {
  const store = createMemoryStore();
  const feed = openFeed(store, { gatherMs: 50 });
  const viewer = new TestViewer();
  await feed.watch(viewer);
  const many = Array.from({ length: 1000 }, (_, n) =>
    eventLine(`${n}`, { is_automatic: n % 4 === 0, ...(n === 0 && { repeat_count: 7 }) }),
  );
  await append(store, ...many);
  await expect.poll(() => viewer.ids.at(-1)).toBe('999');
  const [{ clicks, left_out }] = viewer.of('clicks');
  expect(clicks).toHaveLength(50);
  const automatic = clicks.filter((click: TrackEvent) => click.is_automatic).length;
  expect(left_out).toEqual({ people: 750 - (50 - automatic), automatic: 250 - automatic + 6 });
  expect((await feed.state()).clicks).toHaveLength(RING);
});

test('earlier clicks of a burst become those of a program', async () => {
  const store = createMemoryStore();
  const feed = openFeed(store);
  const viewer = new TestViewer();
  await feed.watch(viewer);
  await append(store, eventLine('a'));
  await expect.poll(() => viewer.ids).toEqual(['a']);
  await append(store, eventLine('b', { is_automatic: true, reclassifies: ['a'] }));
  await expect.poll(() => viewer.ids).toEqual(['a', 'b']);
  expect(viewer.of('clicks').at(-1)).toMatchObject({
    changed: [{ event_id: 'a', is_automatic: true, row: 'row a' }],
  });
  const { clicks } = await feed.state();
  expect(clicks.map((click) => click.is_automatic)).toEqual([true, true]);
});

test('viewers learn that the store is away, and the clicks go on when it is back', async () => {
  const store = createMemoryStore();
  let isAway = true;
  const unlessAway = <T>(call: () => Promise<T>): Promise<T> =>
    isAway ? Promise.reject(new StoreUnavailable('away')) : call();
  const { events } = store;
  const feed = openFeed({
    events: {
      ...store.events,
      recent: (max) => unlessAway(() => events.recent(max)),
      openReader(from) {
        const reader = events.openReader(from);
        return { ...reader, next: (...next) => unlessAway(() => reader.next(...next)) };
      },
    },
  });
  const viewer = new TestViewer();
  await feed.watch(viewer);
  await append(store, eventLine('a'));
  expect(viewer.of('state')).toEqual([{ is_away: true }]);
  expect(await feed.state()).toEqual({ clicks: [], isAway: true });
  isAway = false;
  await expect.poll(() => viewer.ids).toEqual(['a']);
  await expect.poll(() => viewer.of('state').at(-1)).toEqual({ is_away: false });
});

describe('what a viewer may see', () => {
  /** Everything personal that the example click has, by the `detail` that shows it. */
  const PERSONAL = {
    'Anna.Smith@Example.ORG': [],
    'anna.smith@example.org': ['full'],
    'bounce@example.com': [],
    '4XyZ123abc': [],
    '203.0.113.77': ['full'],
    Firefox: ['full'],
    'de-DE': [],
    März: ['full'],
    nested: [],
    '"example.org"': ['domain', 'full'],
    'https://example.org/offer?id=1': ['full'],
  };

  test.each(DETAILS)('with detail = %s', async (detail) => {
    const store = createMemoryStore();
    await append(store, eventLine('a'));
    const feed = openFeed(store, { detail: () => detail });
    const viewer = new TestViewer();
    await feed.watch(viewer);
    await append(store, eventLine('b'));
    await expect.poll(() => viewer.ids).toEqual(['a', 'b']);
    for (const text of [viewer.text, JSON.stringify(await feed.state())]) {
      for (const [personal, shownBy] of Object.entries(PERSONAL)) {
        expect.soft(text.includes(personal), personal).toBe((shownBy as string[]).includes(detail));
      }
      expect(text).toContain('spring');
    }
  });

  test.each(DETAILS)('the name of a link that is a URL, with detail = %s', async (detail) => {
    const store = createMemoryStore();
    await append(store, eventLine('a', { target_link_name: ' HTTPS://shop.example/?user=4711' }));
    const { clicks } = await openFeed(store, { detail: () => detail }).state();
    expect(JSON.stringify(clicks).includes('4711')).toBe(detail === 'full');
    expect(clicks).toHaveLength(1);
  });

  test('a reload of detail holds for the clicks of before too', async () => {
    const store = createMemoryStore();
    await append(store, eventLine('a'));
    let detail: Detail = 'full';
    const feed = openFeed(store, { detail: () => detail });
    expect((await feed.state()).clicks[0]).toHaveProperty('ip_address');
    detail = 'none';
    expect((await feed.state()).clicks[0]).not.toHaveProperty('ip_address');
  });

  test.each([
    ['other types', { target_link_name: { a: 1 }, repeat_count: -1, automation_reasons: ['a', 1] }],
    ['nothing but what an event has to have', {}],
  ])('%s', async (_, fields) => {
    const store = createMemoryStore();
    const known = { event_id: 'a', timestamp: '1790086400', is_automatic: false };
    await append(
      store,
      JSON.stringify({ msys: { track_event: { ...known, ...fields } } }),
      '{"msys":{"track_event":{"event_id":"no class","timestamp":"1790086400"}}}',
      '{"msys":{"track_event":{"event_id":"no time","is_automatic":true,"timestamp":"now"}}}',
    );
    expect((await openFeed(store).state()).clicks).toEqual([known]);
  });

  test('long texts are cut, and no text ends an event', async () => {
    const store = createMemoryStore();
    await append(store, eventLine('a', { user_agent: 'x\r\n\r\ndata: y'.padEnd(1000, 'z') }));
    const viewer = new TestViewer();
    await openFeed(store).watch(viewer);
    const [{ clicks }] = viewer.of('clicks');
    expect(clicks[0].user_agent).toHaveLength(300);
    expect(viewer.text.match(/^data: /gm)).toHaveLength(2);
  });
});
