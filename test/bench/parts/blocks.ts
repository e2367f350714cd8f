import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Part, Row } from '../harness.ts';
import { peerFile } from '../milters.ts';
import { Mta } from '../mta.ts';
import { PATHOLOGICAL } from '../pathological.ts';
import { Recording } from '../recording.ts';
import { median } from '../rounds.ts';
import { startService } from '../service.ts';

const WATCH = 'blocks.sock';
/** Bytes; each twice the one before. */
const SIZES = [250_000, 500_000, 1_000_000, 2_000_000];
/** A straight line has 1; constant costs make it less, caches that overflow a little more. */
const LINEAR = { atMost: 1.25 };

/** Hostile mail: how long nobody else is served while it is read, and how that grows with its size. */
export const blocks: Part = {
  name: 'blocks',
  async run(bench) {
    const service = await startService(bench, 'clickmilter', {
      env: {
        NODE_OPTIONS: `--import=${peerFile('watch-blocks.mjs')}`,
        BLOCKS_SOCKET: join(bench.dir, WATCH),
      },
    });
    const mta = await Mta.open(service.socket, 1);
    const sizes = bench.options.quick ? [10_000, 20_000] : SIZES;
    const rows: Row[] = [];
    for (const [what, message] of Object.entries(PATHOLOGICAL)) {
      const points: Point[] = [];
      let longest = 0;
      for (const size of sizes) {
        const recordings = [new Recording(message(size))];
        await mta.send(recordings, { messages: 1 });
        const times: number[] = [];
        const blocked: number[] = [];
        for (let round = 0; round < bench.options.rounds; round++) {
          await longestBlock(bench.dir);
          times.push((await mta.send(recordings, { messages: 1 })).seconds * 1000);
          blocked.push(await longestBlock(bench.dir));
        }
        points.push({ size, time: Math.min(...times) });
        longest = Math.max(longest, (median(blocked) / size) * 100_000);
      }
      rows.push(
        {
          what: `${what}: longest block for each 100 KB`,
          ours: { who: 'clickmilter', value: longest, unit: 'ms' },
          ratio: longest,
          goal: { atMost: 10 },
        },
        {
          what: `${what}: time grows with size to the power of`,
          ours: { who: 'clickmilter', value: points.at(-1)?.time ?? 0, unit: 'ms at most' },
          ratio: exponent(points),
          goal: LINEAR,
        },
      );
    }
    mta.close();
    return rows;
  },
};

/** Asks every process of the service; forgets what was before. */
async function longestBlock(dir: string): Promise<number> {
  const watched = (await readdir(dir)).filter((name) => name.startsWith(WATCH));
  const answers = watched.map(async (name) => {
    const socket = connect(join(dir, name)).setEncoding('latin1');
    const [text] = await once(socket, 'data');
    return Number(text);
  });
  return Math.max(...(await Promise.all(answers)));
}

interface Point {
  readonly size: number;
  readonly time: number;
}

/** The slope of the best straight line through the points on logarithmic scales: 1 is linear, 2 quadratic. */
function exponent(points: readonly Point[]): number {
  const logs = points.map(({ size, time }) => [Math.log(size), Math.log(time)] as const);
  const mean = (axis: 0 | 1) => logs.reduce((sum, log) => sum + log[axis], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const [covariance, variance] = logs.reduce(
    ([xy, xx], [x, y]) => [xy + (x - meanX) * (y - meanY), xx + (x - meanX) ** 2],
    [0, 0],
  );
  return covariance / variance;
}
