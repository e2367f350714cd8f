import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '../../src/link/link-store.ts';
import type { Reports } from '../../src/store/counters.ts';
import { KnownNames } from '../../src/web/known-names.ts';
import { createMemoryStore } from '../helpers/memory-store/store.ts';
import { openWeb } from '../helpers/web.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const sentFrom = (name: string) => ({ campaign: name, pathway: `${name} path`, tags: [name] });

/** A store whose reports are counted, and can fail. */
function watched() {
  const { counters } = createMemoryStore();
  const state = { reports: 0, isAway: false };
  const reports: Reports = {
    report: (query) => {
      state.reports++;
      return state.isAway ? Promise.reject(new StoreUnavailable('away')) : counters.report(query);
    },
    clicksOf: (message, links) => counters.clicksOf(message, links),
  };
  const send = (name: string, times = 1) => {
    const message = { ...sentFrom(name), time: Date.now(), links: 1 };
    for (let n = 0; n < times; n++) counters.sent(message);
  };
  return { names: new KnownNames(reports, () => 'full'), state, send };
}

describe('known names', () => {
  test('are those with the most messages, a hundred at most, and none of several', async () => {
    const { names, send } = watched();
    send('few');
    send('many', 3);
    expect(await names.read()).toEqual({
      campaign: ['many', 'few'],
      pathway: ['many path', 'few path'],
      tag: ['many', 'few'],
    });
    const crowd = watched();
    for (let n = 0; n < 150; n++) crowd.send(`${n}`);
    crowd.send('150', 2);
    const { campaign } = await crowd.names.read();
    expect([campaign.length, campaign[0]]).toEqual([100, '150']);
  });

  test('are read once a minute, and nobody waits for newer ones', async () => {
    const { names, state, send } = watched();
    send('old');
    await Promise.all([names.read(), names.read()]);
    await names.read();
    expect(state.reports).toBe(3);
    send('new', 2);
    vi.advanceTimersByTime(61_000);
    expect((await names.read()).campaign).toEqual(['old']);
    await vi.waitFor(async () => expect((await names.read()).campaign).toEqual(['new', 'old']));
    expect(state.reports).toBe(6);
  });

  test('that cannot be read now are those of before, or none', async () => {
    const { names, state, send } = watched();
    state.isAway = true;
    expect(await names.read()).toEqual({ campaign: [], pathway: [], tag: [] });
    state.isAway = false;
    send('old');
    expect((await names.read()).tag).toEqual(['old']);
    vi.advanceTimersByTime(61_000);
    state.isAway = true;
    expect((await names.read()).tag).toEqual(['old']);
  });
});

test.each([
  ['/', ['campaign', 'pathway', 'tag']],
  ['/rows?by=day', ['campaign', 'pathway', 'tag']],
  ['/campaign?campaign=x', ['campaign']],
  ['/live', ['campaign', 'pathway', 'tag']],
])('the filters of %s suggest them', async (view, filters) => {
  const { get, store } = await openWeb();
  for (const name of ['spring', '"><script>', '', '(other)']) {
    const names = { campaign: name, pathway: name, tags: [name] };
    store.counters.sent({ ...names, time: Date.now(), links: 1 });
  }
  const { body } = await get(view);
  for (const filter of filters) {
    expect(body).toMatch(
      new RegExp(`<input type="text" name="${filter}" [^>]*list="known-${filter}"[^>]*>`),
    );
    const options = new RegExp(`<datalist id="known-${filter}">(.*?)</datalist>`).exec(body)?.[1];
    expect(options?.match(/value="[^"]*"/g)?.sort()).toEqual([
      'value="&quot;&gt;&lt;script&gt;"',
      'value="&quot;(other)&quot;"',
      'value="spring"',
    ]);
  }
});
