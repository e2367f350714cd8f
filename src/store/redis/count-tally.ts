import { type CountField, METRICS, type Metric } from './count-fields.ts';

/** What numbers belong to. */
export interface CountPlace {
  /** UTC day, YYYY-MM-DD. */
  readonly day: string;
  /** Which of the day's hashes it is. */
  readonly by: 'pathway' | 'link';
  readonly campaign: string;
  /** Pathway or link. */
  readonly key: string;
}

type Numbers = Record<Metric, number>;

/** Adds numbers up before their fields are formatted: many messages and clicks share few fields. */
export class CountTally {
  /** By day, by `by`, by campaign, by key. */
  readonly #numbers = new Map<string, Map<string, Map<string, Map<string, Numbers>>>>();

  sent(place: CountPlace, messages: number, links: number): void {
    const numbers = this.#at(place);
    numbers.messages += messages;
    numbers.links += links;
  }

  clicked(place: CountPlace, clicks: number, rawClicks: number, uniqueClicks: number): void {
    const numbers = this.#at(place);
    numbers.clicks += clicks;
    numbers.rawClicks += rawClicks;
    numbers.uniqueClicks += uniqueClicks;
  }

  /** All that are not 0. */
  *fields(): Generator<{ day: string; by: string; field: CountField; count: number }> {
    for (const [day, hashes] of this.#numbers) {
      for (const [by, campaigns] of hashes) {
        for (const [campaign, keys] of campaigns) {
          for (const [key, numbers] of keys) {
            for (const metric of METRICS) {
              const count = numbers[metric];
              if (count > 0) yield { day, by, field: { metric, campaign, key }, count };
            }
          }
        }
      }
    }
  }

  #at({ day, by, campaign, key }: CountPlace): Numbers {
    const campaigns = mapIn(mapIn(this.#numbers, day), by);
    const keys = mapIn(campaigns, campaign);
    let numbers = keys.get(key);
    if (numbers === undefined) {
      numbers = { messages: 0, links: 0, clicks: 0, rawClicks: 0, uniqueClicks: 0 };
      keys.set(key, numbers);
    }
    return numbers;
  }
}

function mapIn<Value>(map: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  let inner = map.get(key);
  if (inner === undefined) {
    inner = new Map();
    map.set(key, inner);
  }
  return inner;
}
