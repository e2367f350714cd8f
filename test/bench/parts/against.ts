import type { Build } from '../builds.ts';
import type { Bench, Part, Row } from '../harness.ts';
import { costOf, type Milter, type MilterFigure, type Work, warmUp } from '../milters.ts';
import { copies, letters, newsletters, record } from '../newsletters.ts';
import type { Recording } from '../recording.ts';
import { Rounds } from '../rounds.ts';
import { startService, UNTRACKED_CLIENT } from '../service.ts';

/** The first edition, which the goals are about. */
const FIRST_EDITION = '19d887a';
/** Short turns, so that whatever else the machine does hits both builds alike. */
const TURNS_PER_ROUND = 5;
/** Turns of messages, not of time: on a busy machine a turn would be of very few. */
const MESSAGES_PER_TURN = 400;
/** After so many, V8 compiles little more: on a busy machine, ten seconds are far fewer. */
const MESSAGES_TO_WARM_UP = 10_000;
const CONNECTIONS = 8;

type Contender = 'new' | 'old' | 'stored';

interface Load {
  readonly what: string;
  readonly messages: () => readonly Recording[];
  /** Of the CPU of the first edition. */
  readonly atMost?: number;
  readonly isTracked?: boolean;
  readonly isSealed?: boolean;
}

/** 48 links at 20 KB, 74 at 100 KB. */
const LOADS: readonly Load[] = [
  { what: '20 KB, one newsletter to many', messages: () => copies(20_000), atMost: 0.65 },
  {
    what: '20 KB, no template, one recipient',
    messages: () => record(newsletters(20_000)),
    atMost: 0.65,
  },
  {
    what: '100 KB, one newsletter to many',
    messages: () => copies(100_000, 100, 64),
    atMost: 0.75,
  },
  {
    what: '100 KB, no template, one recipient',
    messages: () => record(newsletters(100_000, 100, 64)),
    atMost: 0.75,
  },
  { what: '2 KB of text, 2 links', messages: () => record(letters()) },
  { what: '20 KB, sealed', messages: () => record(newsletters(20_000)), isSealed: true },
  { what: '20 KB, not tracked', messages: () => record(newsletters(20_000)), isTracked: false },
];

/** Of the CPU of stored links. */
const SEALED_AT_MOST = 1.5;

/**
 * The milter of this build and of an earlier one, in turn: CPU per message.
 * @param only loads whose names contain one of these texts
 */
export function against({ commit, cli }: Build, only: readonly string[] = ['']): Part {
  return {
    name: 'against',
    async run(bench) {
      const redis = await bench.redis();
      const stored = {
        new: await startService(bench, 'new', { redis }),
        old: await startService(bench, 'old', { redis, cli }),
      };
      const sealed = {
        new: await startService(bench, 'new-sealed'),
        old: await startService(bench, 'old-sealed', { cli }),
        stored: stored.new,
      };
      const rows: Row[] = [];
      for (const load of LOADS.filter(({ what }) => only.some((text) => what.includes(text)))) {
        bench.say(`  ${load.what}`);
        const rounds = await takeTurns(bench, load, load.isSealed ? sealed : stored);
        const goal = commit.startsWith(FIRST_EDITION) ? load.atMost : undefined;
        rows.push(...compare(rounds, load.what, 'old', goal));
        rows.push(...compare(rounds, load.what, 'stored', SEALED_AT_MOST));
      }
      return rows;
    },
  };
}

async function takeTurns(
  bench: Bench,
  { messages, isTracked = true }: Load,
  milters: Readonly<Partial<Record<Contender, Milter>>>,
): Promise<Rounds<MilterFigure>> {
  const recordings = messages();
  const works = Object.entries(milters).map(([name, milter]): [string, Work] => {
    const work: Work = { milter, body: 'replaced' };
    return [name, isTracked ? work : { milter, body: 'never sent', client: UNTRACKED_CLIENT }];
  });
  await warmUp(
    bench,
    works.map(([, work]) => work),
    recordings,
    { messages: Math.ceil(MESSAGES_TO_WARM_UP * bench.options.seconds) },
  );
  const most = isTracked ? MESSAGES_PER_TURN : 20 * MESSAGES_PER_TURN;
  const until = { messages: Math.ceil(most * bench.options.seconds) };
  const turn = (work: Work) => () => costOf(bench, work, recordings, CONNECTIONS, until);
  return Rounds.run<MilterFigure>(
    bench.options.rounds * TURNS_PER_ROUND,
    Object.fromEntries(works.map(([name, work]) => [name, turn(work)])),
  );
}

/** The median of the turns' ratios, which has the goal, and the ratio of the least of all turns. */
function compare(
  rounds: Rounds<MilterFigure>,
  what: string,
  beside: Contender,
  atMost?: number,
): Row[] {
  const title = `${what}: CPU per message`;
  const median = rounds.row(title, 'cpu', 'µs', 'new', beside, atMost ? { atMost } : undefined);
  if (median.length === 0) return [];
  const least = (who: Contender) => ({ who, value: rounds.least(who, 'cpu'), unit: 'µs' });
  const [ours, other] = [least('new'), least(beside)];
  const ratio = ours.value / other.value;
  return [...median, { what: '  the least of all turns', ours, beside: other, ratio }];
}
