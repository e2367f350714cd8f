import type { EventAppender } from '../../src/store/events.ts';
import { LocalClicks, RecentClicks } from '../../src/store/recent-clicks.ts';
import { eventsDefaults } from './option-defaults.ts';

/** Completes events with what this process has seen, and keeps them there. */
export function localClicks(
  events: EventAppender,
  { automaticWithinMs } = eventsDefaults,
): LocalClicks {
  return new LocalClicks(events, new RecentClicks(automaticWithinMs));
}
