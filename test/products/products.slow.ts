import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/message/open-message.ts';
import { PRODUCTS } from './cases.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;

test.each(Object.keys(PRODUCTS))(
  '%s: time, memory and output grow with the bytes',
  async (name) => {
    const script = new URL('run.ts', import.meta.url).pathname;
    const args = ['--import', 'tsx', script, name, '10000', '40000'];
    const { stdout } = await run(process.execPath, args);
    const [small, large] = JSON.parse(stdout);
    // Where both factors are four times as large, their product is sixteen times as large. The constants forgive what is
    // too small to measure: the compiler's time, and garbage.
    const times = large.bytes / small.bytes;
    expect(large.milliseconds).toBeLessThan(2 * times * small.milliseconds + 200);
    expect(small.memory + large.memory).toBeLessThan(100 * large.bytes + 64 * MiB);
    expect(large.output).toBeLessThan((DEFAULT_LIMITS.growth + 1) * large.bytes + 64 * 1024);
  },
);
