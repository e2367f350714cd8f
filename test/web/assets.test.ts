import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openWeb } from '../helpers/web.ts';

const OWN = readdirSync(new URL('../../src/web/browser/', import.meta.url)).filter((name) =>
  /\.(?:js|css)$/.test(name),
);

test('serves the files of browser/ and uPlot, once for each release', async () => {
  const { get } = await openWeb();
  for (const name of [...OWN, 'uPlot.esm.js', 'uPlot.min.css']) {
    const { statusCode, headers, body } = await get(`/assets/${name}`);
    const type = name.endsWith('.css') ? 'text/css' : 'text/javascript';
    expect([name, statusCode, headers['content-type']]).toEqual([
      name,
      200,
      `${type}; charset=utf-8`,
    ]);
    expect(body.length).toBeGreaterThan(100);
    const again = await get(`/assets/${name}`, { 'if-none-match': String(headers['etag']) });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  }
});

test.each(['tsconfig.json', '..%2foverview.ts', '%2e%2e/web.ts', '__proto__', 'constructor'])(
  'serves no other file: %s',
  async (name) => {
    const { get } = await openWeb();
    expect((await get(`/assets/${name}`)).statusCode).toBe(404);
  },
);
