import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClickRecorder, type RecorderOptions } from '../../src/click/click-recorder.ts';
import { silent } from '../../src/lib/logger.ts';
import { StoreUnavailable } from '../../src/link/link-store.ts';
import type { EventAppender } from '../../src/store/events.ts';
import { FailoverAppender } from '../../src/store/redis/failover.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { localClicks } from '../helpers/local-clicks.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { recordedLog, recordedMetrics } from '../helpers/recorded.ts';
import { exampleClick } from './example-click.ts';

class Kept implements EventAppender {
  readonly events: string[] = [];
  calls = 0;
  fail: Error | undefined;
  async append(events: readonly string[]) {
    this.calls++;
    if (this.fail) throw this.fail;
    this.events.push(...events);
  }
  get tracked() {
    return this.events.map((line) => JSON.parse(line).msys.track_event);
  }
}

const recorders: ClickRecorder[] = [];
function recorder(kept: EventAppender, options: Partial<RecorderOptions> = {}): ClickRecorder {
  const events = localClicks(kept);
  const made = new ClickRecorder({ ...eventsDefaults, nodeName: undefined, events, ...options });
  recorders.push(made);
  return made;
}
afterEach(async () => {
  for (const one of recorders.splice(0)) await one.close();
  vi.useRealTimers();
});

describe('recording', () => {
  test('each click is one event with an id of its own', async () => {
    const kept = new Kept();
    const clicks = recorder(kept);
    await Promise.all([clicks.record(exampleClick()), clicks.record(exampleClick())]);
    expect(kept.events.flatMap((line) => schemaErrors(JSON.parse(line)))).toEqual([]);
    expect(new Set(kept.tracked.map(({ event_id }) => event_id)).size).toBe(2);
  });

  test('of an anonymous click nothing leads to message, recipient or reader', async () => {
    const kept = new Kept();
    const clicks = recorder(kept);
    const ofTwo = [{}, {}, { messageId: 'AAAAAAAAAAAAAAAA' }];
    for (const facts of ofTwo) await clicks.record(exampleClick({ isAnonymous: true }, facts));
    expect(kept.events.flatMap((line) => schemaErrors(JSON.parse(line)))).toEqual([]);
    for (const { message_id, event_id, ...event } of kept.tracked) {
      expect(event).toEqual({
        type: 'click',
        click_identity: 'none',
        is_automatic: false,
        timestamp: '1790086400',
        injection_time: '2026-09-21T00:00:00.000Z',
        target_link_url: 'https://example.org/offer?id=1',
        target_link_name: 'Raw URL',
        part: 'html',
        friendly_from: '"News" <news@example.com>',
        campaign_id: 'spring',
        pathway: 'newsletters',
        delv_method: 'esmtp',
        click_tracking: true,
      });
      expect(event_id).not.toBe(message_id);
    }
    // Clicks on one message are counted as such.
    const [first, again, other] = kept.tracked.map(({ message_id }) => message_id);
    expect(first).toBe(again);
    expect(new Set([first, other, 'Zm9vYmFyYmF6cXV4', 'AAAAAAAAAAAAAAAA']).size).toBe(4);
  });

  test('a click that is kept nowhere is told', async () => {
    const kept = new Kept();
    kept.fail = new StoreUnavailable('away');
    const clicks = recorder(kept);
    await expect(clicks.record(exampleClick())).rejects.toBe(kept.fail);
  });
});

describe('a flood on one token', () => {
  test('becomes few events whose counts add up; other links are not held back', async () => {
    vi.useFakeTimers();
    const kept = new Kept();
    const clicks = recorder(kept, { flood: { perSecond: 20, flushMs: 1000 } });
    for (let second = 0; second < 10; second++) {
      for (let n = 0; n < 1000; n++) await clicks.record(exampleClick());
      await clicks.record(exampleClick({ token: 'another' }));
      await vi.advanceTimersByTimeAsync(1000);
    }
    const flooded = kept.tracked.filter(({ repeat_count }) => repeat_count);
    expect(flooded.map(({ repeat_count }) => repeat_count)).toEqual([980, ...Array(9).fill(1000)]);
    expect(kept.events).toHaveLength(20 + 10 + 10);
    // It ends: from the next second but one on, each click is its own event again.
    await vi.advanceTimersByTimeAsync(1000);
    await clicks.record(exampleClick());
    expect(kept.tracked.at(-1)?.repeat_count).toBeUndefined();
  });

  test('of readers some of whom are anonymous is not attributed to the others', async () => {
    const kept = new Kept();
    const clicks = recorder(kept, { flood: { perSecond: 1, flushMs: 1000 } });
    for (let n = 0; n < 10; n++) await clicks.record(exampleClick({ isAnonymous: n % 5 > 0 }));
    await clicks.close();
    const seen = kept.tracked.map(({ rcpt_to, repeat_count }) => [rcpt_to, repeat_count ?? 1]);
    expect(seen).toEqual([
      ['anna.smith@example.org', 1],
      [undefined, 1],
      ['anna.smith@example.org', 1],
      [undefined, 7],
    ]);
  });

  test('what was held back is kept on close', async () => {
    const kept = new Kept();
    const clicks = recorder(kept, { flood: { perSecond: 5, flushMs: 3_600_000 / 720 } });
    for (let n = 0; n < 100; n++) await clicks.record(exampleClick());
    expect(kept.events).toHaveLength(25);
    await clicks.close();
    expect(kept.tracked.at(-1)?.repeat_count).toBe(75);
  });

  test('repeats that could be kept nowhere are told', async () => {
    const kept = new Kept();
    const { metrics, counts } = recordedMetrics();
    const clicks = recorder(kept, {
      flood: { perSecond: 1, flushMs: 1000 },
      metrics,
    });
    for (let n = 0; n < 10; n++) await clicks.record(exampleClick());
    kept.fail = new StoreUnavailable('away');
    await clicks.close();
    expect(counts).toEqual([...Array(9).fill('clicks_total lost ')]);
  });
});

describe('stream first, else journal', () => {
  test('goes over, leaves the stream alone for a while, and comes back', async () => {
    const [stream, journal] = [new Kept(), new Kept()];
    const { logger, lines } = recordedLog();
    vi.useFakeTimers({ toFake: ['performance'] });
    const both = new FailoverAppender({
      stream: localClicks(stream),
      journal: localClicks(journal),
      pauseMs: 30,
      logger,
    });
    await both.append(['1']);
    stream.fail = new StoreUnavailable('away');
    await both.append(['2']);
    await both.append(['3']);
    expect(stream.calls).toBe(2);
    vi.advanceTimersByTime(40);
    // One tries, the others do not wait for it.
    await Promise.all([both.append(['4']), both.append(['5']), both.append(['6'])]);
    expect(stream.calls).toBe(3);
    stream.fail = undefined;
    vi.advanceTimersByTime(40);
    await both.append(['7']);
    await both.append(['8']);
    expect(stream.events).toEqual(['1', '7', '8']);
    expect([...journal.events].sort()).toEqual(['2', '3', '4', '5', '6']);
    expect(lines).toEqual([
      { level: 'warn', message: 'clicks go to the journal until Redis is back', reason: 'away' },
      { level: 'info', message: 'clicks go to Redis again' },
    ]);
  });

  test('comes back also when the clock was set back meanwhile', async () => {
    const [stream, journal] = [new Kept(), new Kept()];
    stream.fail = new StoreUnavailable('away');
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const both = new FailoverAppender({
      stream: localClicks(stream),
      journal: localClicks(journal),
      pauseMs: 30,
      logger: silent,
    });
    await both.append(['1']);
    vi.setSystemTime(Date.now() - 3_600_000);
    stream.fail = undefined;
    vi.advanceTimersByTime(40);
    await both.append(['2']);
    expect(stream.events).toEqual(['2']);
  });

  test('both away: the caller is told', async () => {
    const [stream, journal] = [new Kept(), new Kept()];
    stream.fail = new StoreUnavailable('away');
    journal.fail = new StoreUnavailable('disk full');
    const both = new FailoverAppender({
      stream: localClicks(stream),
      journal: localClicks(journal),
      logger: silent,
    });
    await expect(both.append(['1'])).rejects.toBe(journal.fail);
  });
});
