import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type FromWorker,
  readFromWorker,
  readToWorker,
  type ToWorker,
} from '../../../src/service/workers/worker-messages.ts';

const toWorker: ToWorker[] = [
  { clickmilter: 'begin', configuration: { file: '/c.conf' } },
  { clickmilter: 'stop' },
  { clickmilter: 'finish' },
  { clickmilter: 'leave' },
  { clickmilter: 'ask', id: 1, what: 'metrics', value: undefined },
];
const fromWorker: FromWorker[] = [
  { clickmilter: 'hello' },
  { clickmilter: 'ready' },
  { clickmilter: 'alive', rss: 1e8 },
  { clickmilter: 'answer', id: 1, value: [Number.NaN] },
  { clickmilter: 'answer', id: 1, error: 'no' },
];

/** A real message with some of its values replaced or left out, or anything at all. */
const mutated = fc.oneof(
  fc.anything(),
  fc
    .tuple(fc.constantFrom(...toWorker, ...fromWorker), fc.string(), fc.anything())
    .map(([message, key, value]) => ({ ...message, [key]: value })),
  fc
    .tuple(
      fc.constantFrom(...toWorker, ...fromWorker),
      fc.constantFrom('clickmilter', 'id', 'what', 'rss', 'error'),
      fc.oneof(fc.constantFrom(undefined, null, -1, 0.5, Number.NaN, '1', '', {}), fc.anything()),
    )
    .map(([message, key, value]) => ({ ...message, [key]: value })),
);

test('real messages are read as they are', () => {
  expect(toWorker.map(readToWorker)).toEqual(toWorker);
  expect(fromWorker.map(readFromWorker)).toEqual(fromWorker);
  expect(toWorker.map(readFromWorker)).toEqual(toWorker.map(() => undefined));
  expect(fromWorker.map(readToWorker)).toEqual(fromWorker.map(() => undefined));
});

test('anything else is none, or has the types of one', () => {
  fc.assert(
    fc.property(mutated, (message) => {
      const to = readToWorker(message);
      if (to?.clickmilter === 'ask') {
        expect(Number.isSafeInteger(to.id)).toBe(true);
        expect(to.what).toBeTypeOf('string');
      }
      const from = readFromWorker(message);
      if (from?.clickmilter === 'alive') expect(from.rss).toBeGreaterThanOrEqual(0);
      if (from?.clickmilter === 'answer') {
        expect(Number.isSafeInteger(from.id)).toBe(true);
        if ('error' in from) expect(from.error).toBeTypeOf('string');
      }
    }),
    { numRuns: 1200 },
  );
});
