import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMilterServer, type MilterServer } from '../../src/milter/milter.ts';
import { type PeerProcess, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { askMilter } from './oracle/ask-milter.ts';
import { buildOracle } from './oracle/build-oracle.ts';
import { obedientFilter } from './oracle/obedient-filter.ts';
import { wireCases } from './oracle/wire-cases.ts';

// Real libmilter and our server get the same bytes, however broken, and must give the same answers.

const dir = mkdtempSync(join(tmpdir(), 'clickmilter-oracle-'));
const at = (whose: 'libmilter' | 'ours', lean = false) =>
  join(dir, `${whose}${lean ? '-lean' : ''}.sock`);
const oracles: PeerProcess[] = [];
const servers: MilterServer[] = [];

beforeAll(async () => {
  const program = buildOracle('oracle.c', dir);
  for (const lean of [false, true]) {
    const oracle = startPeer(program, [at('libmilter', lean), ...(lean ? ['lean'] : [])]);
    oracles.push(oracle);
    const server = createMilterServer(obedientFilter(lean));
    await server.listen({ path: at('ours', lean) });
    servers.push(server);
    // libmilter answers a HELO even before it has negotiated.
    await poll('libmilter to listen', async () => {
      if (!oracle.running) throw new Error(`libmilter ended:\n${oracle.output()}`);
      return (await askMilter(at('libmilter', lean), [])).at(-1) === 'alive';
    });
  }
});

afterAll(async () => {
  for (const server of servers) await server.close({ deadline: 0 });
  // libmilter waits for its connections' threads on SIGTERM.
  for (const oracle of oracles) await oracle.stop(0);
  rmSync(dir, { recursive: true, force: true });
});

const deliveries = ['packet by packet', 'in one write', 'byte by byte'] as const;

describe.each(deliveries)('what comes %s', (delivery) => {
  test.each(wireCases)('$name', async ({ sent, lean, differs }) => {
    // A byte at a time, 200 KB would take a minute and show nothing more.
    const size = sent.reduce((sum, bytes) => sum + bytes.length, 0);
    const way = size > 10_000 && delivery === 'byte by byte' ? 'packet by packet' : delivery;
    const theirs = await askMilter(at('libmilter', lean), sent);
    const ours = await askMilter(at('ours', lean), sent, way);
    if (differs === undefined) {
      expect(ours).toEqual(theirs);
    } else {
      expect(ours, differs.why).toEqual(differs.ours);
      expect(theirs, 'no longer a difference').not.toEqual(differs.ours);
    }
  });
});

test('a session in two writes, wherever the cut', async () => {
  const sent = wireCases.find(({ name }) => name === 'quit, and a new connection')?.sent ?? [];
  const theirs = await askMilter(at('libmilter'), sent);
  const size = Buffer.concat(sent).length;
  expect(size).toBeGreaterThan(300);
  for (let cutAt = 1; cutAt < size; cutAt++) {
    expect(await askMilter(at('ours'), sent, { cutAt }), `cut at ${cutAt}`).toEqual(theirs);
  }
});
