import {
  type AutomationSettings,
  AutomationSigns,
  burstKey,
  linkKey,
} from '../../src/click/automation.ts';
import type { Click } from '../../src/click/click.ts';
import type { AutomationReason } from '../../src/link/automation-reasons.ts';
import type { ClickDraft } from '../../src/store/events.ts';
import { RecentClicks } from '../../src/store/recent-clicks.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';

export interface Signs {
  readonly is_automatic: boolean;
  readonly automation_reasons?: readonly AutomationReason[];
  readonly reclassifies?: readonly string[];
}

/** A click as it is recorded, with an event that has only signs. */
export function draftOf(signs: AutomationSigns, click: Click, eventId: string): ClickDraft {
  return {
    eventId,
    time: click.time,
    burst: burstKey(click),
    link: linkKey(click.token),
    start: `{"event_id":"${eventId}"`,
    endings: signs.endingsFor(click),
    reclassifies: ',"reclassifies":',
    end: '}',
  };
}

/** A draft whose event readers take for one. */
export function envelope(draft: ClickDraft): ClickDraft {
  return { ...draft, start: `{"msys":{"track_event":${draft.start}`, end: '}}}' };
}

/** Judges clicks as one process does. */
export class Judge {
  readonly signs: AutomationSigns;
  readonly #recent: RecentClicks;
  #clicks = 0;

  constructor(settings: Partial<AutomationSettings> = {}) {
    const all = { ...eventsDefaults, ...settings };
    this.signs = new AutomationSigns(all);
    this.#recent = new RecentClicks(all.automaticWithinMs);
  }

  look(click: Click, eventId = `event-${this.#clicks++}`): Signs {
    const { event_id, ...signs } = JSON.parse(
      this.#recent.finish(draftOf(this.signs, click, eventId)),
    );
    return signs;
  }

  reasonsFor(click: Click): readonly AutomationReason[] {
    return this.look(click).automation_reasons ?? [];
  }

  headSeen(token: string, time: number): void {
    this.#recent.headSeen(linkKey(token), time);
  }
}
