import { expect, test } from 'vitest';
import { openWeb } from '../helpers/web.ts';

test('an input that a schema refuses gets one sentence, which says what would be right', async () => {
  const { json, send } = await openWeb();
  for (const [url, sentence] of [
    ['/campaign', 'campaign is missing: expected a value'],
    ['/?day=1', 'day is not known here: expected a parameter of /openapi.json'],
    ['/rows.csv?by=day&gaps=1', 'gaps: expected one of filled'],
    [
      '/rows?by=__proto__',
      'by: expected one of campaign, link, position, part, pathway, tag, domain, day, hour',
    ],
    [`/?campaign=${'x'.repeat(4097)}`, 'campaign is too long: expected at most 4096 characters'],
    ['/?campaign=a&campaign=b', 'campaign: expected one text'],
    ['/?since=2026-02-30', 'since: expected a day such as 2026-01-31'],
    ['/?since=0001-01-01&until=0001-01-02', 'since: expected a day such as 2026-01-31'],
    ['/?until=9999-01-02', 'until: expected a day such as 2026-01-31'],
    ['/live?last=0', 'last: expected a whole number in the range of /openapi.json'],
  ] as const) {
    const { status, body } = await json(url);
    expect([url, status, body]).toEqual([url, 400, { error: sentence }]);
  }
  const headers = { accept: 'application/json', origin: 'http://localhost:8896' };
  const { body } = await send({ method: 'POST', url: '/message/change', headers });
  expect(JSON.parse(body)).toEqual({ error: 'the body: expected one object' });
});
