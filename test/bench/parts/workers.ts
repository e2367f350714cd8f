import type { Part } from '../harness.ts';
import { costOf, type MilterFigure, type Work, warmUp } from '../milters.ts';
import { newsletters, record } from '../newsletters.ts';
import { Rounds } from '../rounds.ts';
import { startService } from '../service.ts';

/** What it costs to have the work done by two processes. */
export const workers: Part = {
  name: 'workers',
  async run(bench) {
    const redis = await bench.redis();
    const one = await startService(bench, 'one', { redis });
    const two = await startService(bench, 'two', { redis, workers: 2 });
    const messages = record(newsletters(20_000));
    const works = {
      'one worker': { milter: one, body: 'replaced' },
      'two workers': { milter: two, body: 'replaced' },
    } as const;
    // Each of the two workers has to warm up by itself.
    await warmUp(
      bench,
      [works['one worker'], works['two workers'], works['two workers']],
      messages,
    );
    const cost = (work: Work) => () => costOf(bench, work, messages, 8);
    const rounds = await Rounds.run<MilterFigure>(bench.options.rounds, {
      'one worker': cost(works['one worker']),
      'two workers': cost(works['two workers']),
    });
    const what = '20 KB × 8: CPU a message';
    return rounds.row(what, 'cpu', 'µs', 'two workers', 'one worker', { atMost: 1.1 });
  },
};
