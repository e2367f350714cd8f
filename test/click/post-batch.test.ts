import { afterEach, expect, test } from 'vitest';
import { postBatch } from '../../src/click/post-batch.ts';
import { startWebhookServer } from '../helpers/webhook-server.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

test.each([
  ['a name and a password', 'user:pass%21@', 'user:pass!'],
  ['a name', 'user@', 'user:'],
  ['a password', ':pass@', ':pass'],
  ['letters beyond ASCII', 'gr%C3%BC%C3%9Fe:%E2%82%AC@', 'grüße:€'],
  ['neither', '@', undefined],
])('a URL with a login of %s', async (_name, login, expected) => {
  const server = await startWebhookServer();
  closers.push(server.close);
  const answer = await postBatch({
    webhook: server.url.replace('//', `//${login}`),
    id: 'id',
    events: [{ id: '1', event: '{}' }],
    webhookTimeoutMs: 60_000,
  });
  expect(answer).toEqual({ delivered: true });
  expect(server.batches.map(({ headers }) => headers['authorization'])).toEqual([
    expected && `Basic ${Buffer.from(expected).toString('base64')}`,
  ]);
});
