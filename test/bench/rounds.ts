import type { Goal, Row } from './harness.ts';

/** Contenders' figures, one set for each round. */
export class Rounds<Figure extends string> {
  readonly #samples = new Map<string, Record<Figure, number>[]>();

  /**
   * Lets all contenders take turns, round after round, so that whatever else the machine does hits them alike.
   * Every other round goes backwards, since what ran just before leaves its traces in the caches. Before several
   * rounds there is one that counts for nothing, in which programs warm up.
   * @param contenders those that are undefined do not take part
   */
  static async run<Figure extends string>(
    rounds: number,
    contenders: Readonly<Record<string, (() => Promise<Record<Figure, number>>) | undefined>>,
  ): Promise<Rounds<Figure>> {
    const result = new Rounds<Figure>();
    for (let round = rounds > 1 ? -1 : 0; round < rounds; round++) {
      const order = Object.entries(contenders);
      for (const [name, measure] of round % 2 ? order.reverse() : order) {
        if (measure === undefined) continue;
        const sample = await measure();
        if (round < 0) continue;
        const samples = result.#samples.get(name) ?? [];
        result.#samples.set(name, [...samples, sample]);
      }
    }
    return result;
  }

  /** Not a number for one that did not take part. */
  median(name: string, figure: Figure): number {
    return median((this.#samples.get(name) ?? []).map((sample) => sample[figure]));
  }

  /** The least of all rounds: what others do on the machine only adds to it. */
  least(name: string, figure: Figure): number {
    return Math.min(...(this.#samples.get(name) ?? []).map((sample) => sample[figure]));
  }

  /** The median of the rounds' own ratios: a machine that slows down for a round slows both. */
  ratio(name: string, beside: string, figure: Figure): number | undefined {
    const samples = this.#samples.get(name);
    const others = this.#samples.get(beside);
    if (samples === undefined || others === undefined) return undefined;
    return median(samples.map((own, i) => own[figure] / (others[i]?.[figure] ?? Number.NaN)));
  }

  /**
   * A line of the table, or none where one of the two did not take part.
   * @param unit of the figure, printed after it
   */
  row(
    what: string,
    figure: Figure,
    unit: string,
    name: string,
    beside: string,
    goal?: Goal,
  ): Row[] {
    const ratio = this.ratio(name, beside, figure);
    if (ratio === undefined) return [];
    const measure = (who: string) => ({ who, value: this.median(who, figure), unit });
    return [{ what, ours: measure(name), beside: measure(beside), ratio, ...(goal && { goal }) }];
  }

  /** A line of the table for a figure that has a goal of its own, whatever others reach. */
  absolute(what: string, figure: Figure, unit: string, name: string, goal?: Goal): Row {
    const value = this.median(name, figure);
    return { what, ours: { who: name, value, unit }, ...(goal && { ratio: value, goal }) };
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
