import { join } from 'node:path';
import type { PeerProcess } from '../helpers/peer-process.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { CORES, type MeasuredProcess, pin, startMeasured } from './measured-process.ts';

/** A figure of somebody. */
export interface Measure {
  readonly who: string;
  readonly value: number;
  readonly unit: string;
}

/** One line of the table: a measure of ours, what stands beside it, and what we want of the two. */
export interface Row {
  readonly what: string;
  readonly ours: Measure;
  readonly beside?: Measure;
  /** Ours divided by what stands beside it, or ours itself where a goal is absolute. */
  readonly ratio?: number;
  readonly goal?: Goal;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One subject of the benchmark. */
export interface Part {
  readonly name: string;
  /** Only with --long: takes many minutes. */
  readonly long?: true;
  run(bench: Bench): Promise<Row[]>;
}

export interface BenchOptions {
  readonly rounds: number;
  /** Seconds of one measurement. */
  readonly seconds: number;
  /** Only to see that everything runs: no figure means anything. */
  readonly quick: boolean;
}

/** What a part works with; everything started through it is stopped when the part is over. */
export class Bench {
  readonly options: BenchOptions;
  /** A folder of this part's own. */
  readonly dir: string;
  /** The built command line program. */
  readonly cli: string;
  readonly #started: (PeerProcess | Redis)[] = [];

  constructor(options: BenchOptions, dir: string, cli: string) {
    this.options = options;
    this.dir = dir;
    this.cli = cli;
  }

  /** Starts a program on the core of what is measured. */
  start(name: string, file: string, args: readonly string[], env = {}): MeasuredProcess {
    const measured = startMeasured(this.log(name), file, args, env);
    this.#started.push(measured.peer);
    return measured;
  }

  /** What starts a peer, or says which is missing; the rows that need it are then left out. */
  async attempt<T>(start: () => Promise<T>): Promise<T | undefined> {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes('package')) throw error;
      this.say(`  left out: ${error.message}`);
      return undefined;
    }
  }

  /** Says something beside the table. */
  say(line: string): void {
    console.error(line);
  }

  log(name: string): string {
    return join(this.dir, `${name}.log`);
  }

  /** A Redis of this part's own, on the core of the load. */
  async redis(): Promise<Redis> {
    const redis = await startRedis();
    pin(redis.pid, CORES.load);
    this.#started.push(redis);
    return redis;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#started.map((started) => started.stop()));
  }
}
