import { setTimeout as sleep } from 'node:timers/promises';
import type { Metrics } from '../../../src/lib/metrics.ts';
import { timeOfEvent } from '../../../src/store/event-line.ts';
import type {
  ConsumerName,
  EventConsumer,
  Events,
  Lease,
  Note,
  StoredEvent,
  StreamReader,
} from '../../../src/store/events.ts';
import { LocalClicks, RecentClicks } from '../../../src/store/recent-clicks.ts';

/** Events in memory; an erased one is empty. */
export class MemoryEvents implements Events {
  readonly #events: string[] = [];
  readonly #dead: string[] = [];
  readonly #leases = new Map<string, object>();
  /** By group: how far it has read, and the events that are not acknowledged. */
  readonly #groups = new Map<string, { at: number; pending: StoredEvent[]; note: Note }>();

  readonly deadLetters = {
    path: 'memory',
    add: async (events: readonly string[]) => void this.#dead.push(...events),
  };

  async openAppender() {
    const append = async (events: readonly string[]) => void this.#events.push(...events);
    return new LocalClicks({ append }, new RecentClicks(10_000));
  }

  removeBefore = async (time: number) => this.erase((event) => (timeOfEvent(event) ?? time) < time);

  lease(name: string): Lease {
    const holder = {};
    const isFree = () => (this.#leases.get(name) ?? holder) === holder;
    return {
      hold: async () => isFree() && this.#leases.set(name, holder) !== undefined,
      isHeld: async () => this.#leases.get(name) === holder,
      release: async () => void (isFree() && this.#leases.delete(name)),
    };
  }

  openReader(from: 'oldest' | 'newest'): StreamReader {
    let at = from === 'oldest' ? 0 : this.#events.length;
    return {
      skipped: 0,
      next: async (max, waitMs) => {
        const end = performance.now() + waitMs;
        let next = this.#after(at, max);
        while (next.length === 0 && performance.now() < end) {
          await sleep(5);
          next = this.#after(at, max);
        }
        at = Number(next.at(-1)?.id ?? at - 1) + 1;
        return next;
      },
      close: async () => {},
    };
  }

  recent = async (max: number) => this.#after(0, Number.POSITIVE_INFINITY).slice(-max);

  openConsumer({ group }: ConsumerName): EventConsumer {
    const note = { id: '', text: '', eventIds: [] };
    const state = this.#groups.get(group) ?? { at: 0, pending: [], note };
    this.#groups.set(group, state);
    const acknowledge = async (events: readonly StoredEvent[]) => {
      const ids = new Set(events.map(({ id }) => id));
      state.pending = state.pending.filter(({ id }) => !ids.has(id));
    };
    return {
      next: async (max) => {
        const next = this.#after(state.at, max);
        state.at = Number(next.at(-1)?.id ?? state.at - 1) + 1;
        state.pending.push(...next);
        return next;
      },
      unacknowledged: async (max) => state.pending.slice(0, max),
      acknowledge,
      keep: async (events, kept) => {
        state.note = { id: String(Number(state.note.id) + 1), ...kept };
        await acknowledge(events);
        return state.note.id;
      },
      note: async () => state.note,
      backlog: async () => ({
        events: state.pending.length + this.#after(state.at, Infinity).length,
      }),
      close: async () => {},
    };
  }

  async waiting() {
    return { events: 0 };
  }

  measure(metrics: Metrics): void {
    metrics.gauge('events_stream_length', () => this.#events.length);
  }

  /** @returns how many events were erased */
  erase(isWanted: (event: string) => boolean): number {
    let found = 0;
    for (const events of [this.#events, this.#dead]) {
      for (const [i, event] of events.entries()) {
        if (!isWanted(event)) continue;
        events[i] = '';
        found++;
      }
    }
    return found;
  }

  #after(at: number, max: number): StoredEvent[] {
    const events = this.#events.map((event, id) => ({ id: String(id), event }));
    return events
      .slice(at)
      .filter(({ event }) => event !== '')
      .slice(0, max);
  }
}
