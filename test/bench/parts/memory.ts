import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Part, Row } from '../harness.ts';
import { Mta } from '../mta.ts';
import { newsletters, record, withAttachment } from '../newsletters.ts';
import { type Service, startService } from '../service.ts';

const CONNECTIONS = 50;

/** What stays in memory after many messages, and what large ones take while they are under way. */
export const memory: Part = {
  name: 'memory',
  long: true,
  async run(bench) {
    const redis = await bench.redis();
    return [
      await afterMany(bench, await startService(bench, 'many', { redis })),
      await inFlight(bench, await startService(bench, 'large', { redis })),
    ];
  },
};

async function afterMany(bench: Bench, service: Service): Promise<Row> {
  const [few, many] = bench.options.quick ? [100, 1_000] : [1_000, 100_000];
  const mta = await Mta.open(service.socket, 8);
  const messages = record(newsletters(20_000));
  await mta.send(messages, { messages: few });
  const before = await settled(service);
  await mta.send(messages, { messages: many - few });
  const after = await settled(service);
  mta.close();
  return {
    what: `resident after ${few.toLocaleString('en')} and after ${many.toLocaleString('en')} messages`,
    ours: { who: 'then', value: after / 1e6, unit: 'MB' },
    beside: { who: 'at first', value: before / 1e6, unit: 'MB' },
    ratio: after / before,
    // Garbage is collected when there is need, not when it is measured.
    goal: { atMost: 1.2 },
  };
}

/** 50 connections that have all sent their message, but not the end of the message. */
async function inFlight(bench: Bench, service: Service): Promise<Row> {
  const size = bench.options.quick ? 1_000_000 : 25_000_000;
  const before = service.process.memory();
  const [message] = record(withAttachment(size, 1));
  if (message === undefined) throw new Error('no message to send');
  const mta = await Mta.open(service.socket, CONNECTIONS);
  await mta.sendAllButTheEnd(message);
  const held = service.process.memory() - before;
  mta.close();
  return {
    what: `${CONNECTIONS} connections in the middle of a ${size / 1e6} MB message`,
    ours: { who: 'resident more than before', value: held / 1e6, unit: 'MB' },
    beside: { who: 'bytes sent', value: (CONNECTIONS * size) / 1e6, unit: 'MB' },
    ratio: held / (CONNECTIONS * size),
    goal: { atMost: 3 },
  };
}

/** Resident bytes a little after the last message, when what is freed at leisure is freed. */
async function settled(service: Service): Promise<number> {
  await sleep(3_000);
  return service.process.memory();
}
