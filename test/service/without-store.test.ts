import { expect, test } from 'vitest';
import { newMessageId } from '../../src/link/message-id.ts';
import { formatStoredToken, LinkChecks } from '../../src/link/stored-token.ts';
import { withoutStore } from '../../src/service/without-store.ts';

test('a stored link followed without a store is reported', async () => {
  const asked: string[] = [];
  let warnings = 0;
  const resolver = withoutStore(
    {
      async resolve(token) {
        asked.push(token);
        return undefined;
      },
    },
    () => warnings++,
  );
  const stored = formatStoredToken(newMessageId(), 0, new LinkChecks('secret'));
  await resolver.resolve('2sealed');
  await resolver.resolve('1');
  expect(warnings).toBe(0);
  await resolver.resolve(stored);
  await resolver.resolve(stored);
  expect(warnings).toBe(2);
  expect(asked).toEqual(['2sealed', '1', stored, stored]);
});
