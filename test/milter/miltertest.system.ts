import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMilterServer } from '../../src/milter/milter.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { obedientFilter } from './oracle/obedient-filter.ts';

// OpenDKIM's miltertest, an MTA's side of the protocol written by somebody else.

const run = promisify(execFile);
const directory = join(import.meta.dirname, 'miltertest');
const scripts = readdirSync(directory).filter((file) => file !== 'run.lua');
const server = createMilterServer(obedientFilter());
let port: number;

beforeAll(async () => {
  ({ port } = (await server.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo);
});

afterAll(() => server.close({ deadline: 0 }));

test.each(scripts)('%s', async (script) => {
  const defined = { socket: `inet:${port}@127.0.0.1`, directory, script };
  const args = Object.entries(defined).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
  const program = requireProgram('miltertest', 'miltertest');
  const ended = run(program, [...args, '-s', join(directory, 'run.lua')]);
  const { stdout } = await ended.catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`miltertest: ${error.stdout}${error.stderr}`);
  });
  expect(stdout).toContain(`${script}: passed`);
});
