import type { Bench, Goal, Part, Row } from '../harness.ts';
import {
  cMilter,
  costOf,
  floorMilter,
  type Milter,
  type MilterFigure,
  opendkim,
  pythonMilter,
  type Work,
  warmUp,
} from '../milters.ts';
import { copies, newsletters, record, withAttachment } from '../newsletters.ts';
import type { Recording } from '../recording.ts';
import { Rounds } from '../rounds.ts';
import { startService, UNTRACKED_CLIENT } from '../service.ts';

/** Contenders by name; a peer that is missing is undefined. */
type Works = Readonly<Record<string, Work | undefined>>;
type Comparison = readonly [what: MilterFigure, name: string, beside: string, goal?: Goal];

const OURS = 'clickmilter';
const UNITS = { rate: 'msg/s', cpu: 'µs' };
const TITLES = { rate: 'messages a second', cpu: 'CPU a message' };
/** With 1 and 50 connections the ratio may be this much of what it is to be with 8. */
const TOLERANCE = 0.8;

/** The milter without a mail server: what it costs beside the least that could be done, and beside others. */
export const milterAlone: Part = {
  name: 'milter',
  async run(bench) {
    const redis = await bench.redis();
    const service = await startService(bench, OURS, { redis });
    const [sealed, noop, bodyOnly, replace, floor, dkim, python] = [
      await startService(bench, 'sealed'),
      await bench.attempt(() => cMilter(bench, 'noop')),
      await bench.attempt(() => cMilter(bench, 'noop', 'body')),
      await bench.attempt(() => cMilter(bench, 'replace')),
      await bench.attempt(() => floorMilter(bench)),
      await bench.attempt(() => opendkim(bench)),
      await bench.attempt(() => pythonMilter(bench, redis)),
    ];
    const beside = (name: string, milter: Milter | undefined, body: Work['body']) => ({
      [OURS]: does('replaced', service),
      [name]: does(body, milter),
    });
    const toNoop = beside('C no-op', noop, 'received');
    const toReplace = beside('C replace', replace, 'replaced');
    const toAll = {
      ...toNoop,
      sealed: does('replaced', sealed),
      untracked: does('never sent', service, UNTRACKED_CLIENT),
      'C no-op, body only': does('received', bodyOnly),
      'library no-op': does('received', floor),
      opendkim: does('received', dkim),
      python: does('replaced', python),
    };
    const small = record(newsletters(20_000));
    await warmUp(bench, [toAll[OURS], toAll.sealed, toAll['library no-op']], small);
    const large = record(newsletters(100_000));
    const huge = record(withAttachment(5_000_000));
    const rows: Row[] = [];
    for (const connections of bench.options.quick ? [8] : [1, 8, 50]) {
      const goal = (ratio: number) => ({ atLeast: connections === 8 ? ratio : ratio * TOLERANCE });
      const compare = (
        size: string,
        messages: readonly Recording[],
        works: Works,
        list: readonly Comparison[],
      ) => takeTurns(bench, `${size} × ${connections}`, messages, connections, works, list);
      const works = connections === 8 ? toAll : toNoop;
      rows.push(
        ...(await compare('20 KB', small, works, [
          ['rate', OURS, 'C no-op'],
          ...others({ opendkim: 0.15, python: 1 / 20 }),
        ])),
        ...(await compare('100 KB', large, works, [
          ['rate', OURS, 'C no-op'],
          ...others({ opendkim: 0.45, python: 1 / 40 }),
        ])),
        ...(await compare('5 MB', huge, toReplace, [['rate', OURS, 'C replace', goal(0.25)]])),
      );
    }
    rows.push(
      ...(await takeTurns(
        bench,
        '20 KB × 8, one newsletter to many',
        copies(20_000),
        8,
        { [OURS]: toNoop[OURS], 'C no-op': toNoop['C no-op'] },
        [
          ['rate', OURS, 'C no-op'],
          ['cpu', OURS, 'C no-op'],
        ],
      )),
    );
    const peak = (who: string, milter: Milter) => ({
      who,
      value: milter.process.peakMemory() / 1e6,
      unit: 'MB',
    });
    rows.push({
      what: 'peak memory after all that',
      ours: peak(OURS, service),
      ...(replace && { beside: peak('C replace', replace) }),
    });
    return rows;
  },
};

function others(atMost: { opendkim: number; python: number }): Comparison[] {
  return [
    ['rate', OURS, 'C no-op, body only'],
    ['rate', 'sealed', OURS],
    ['rate', 'library no-op', 'C no-op'],
    ['cpu', OURS, 'C no-op'],
    ['cpu', 'library no-op', 'C no-op'],
    ['cpu', 'untracked', OURS, { atMost: 0.1 }],
    ['cpu', OURS, 'opendkim', { atMost: atMost.opendkim }],
    ['cpu', OURS, 'python', { atMost: atMost.python }],
  ];
}

function does(body: Work['body'], milter: Milter | undefined, client?: string): Work | undefined {
  return milter && { milter, body, ...(client !== undefined && { client }) };
}

/** All contenders with the same messages, and the lines of the table that come of it. */
async function takeTurns(
  bench: Bench,
  load: string,
  messages: readonly Recording[],
  connections: number,
  works: Works,
  comparisons: readonly Comparison[],
): Promise<Row[]> {
  const contenders = Object.entries(works).map(([name, work]) => [
    name,
    work && (() => costOf(bench, work, messages, connections)),
  ]);
  const rounds = await Rounds.run<MilterFigure>(
    bench.options.rounds,
    Object.fromEntries(contenders),
  );
  return comparisons.flatMap(([figure, name, beside, goal]) =>
    rounds.row(`${load}: ${TITLES[figure]}`, figure, UNITS[figure], name, beside, goal),
  );
}
