import { expect, test } from 'vitest';
import { eventsOptions } from '../../src/config/store-options.ts';

/** Whether fetch refuses a port; asked before it connects, and given up right after. */
async function isRefused(port: number): Promise<boolean> {
  const error = await fetch(`http://127.0.0.1:${port}/`, {
    signal: AbortSignal.timeout(5000),
  }).then(
    () => undefined,
    (cause: Error) => cause.cause,
  );
  return error instanceof Error && error.message === 'bad port';
}

function isTaken(port: number): boolean {
  const origin = { file: 'test.conf', line: 1, column: 1 };
  const text = `http://127.0.0.1:${port}/`;
  const node = { kind: 'scalar', text, origin, quoted: true } as const;
  return eventsOptions.webhook.type.read(node, () => {}) !== undefined;
}

/** Every port that a browser's standard names, with its neighbours. */
const REFUSED = Array.from({ length: 11_000 }, (_, port) => port + 1).filter(
  (port) => !isTaken(port),
);

test('the ports that a webhook may not have are those that fetch refuses', async () => {
  expect(REFUSED.length).toBeGreaterThan(50);
  for (const port of REFUSED) {
    for (const one of [port - 1, port, port + 1].filter((some) => some > 0 && some !== 80)) {
      expect({ one, isTaken: isTaken(one) }).toEqual({ one, isTaken: !(await isRefused(one)) });
    }
  }
});
