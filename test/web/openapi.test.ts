import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { seededWeb } from '../helpers/seeded-web.ts';

/** Whatever is asked for, it may be refused so. */
const REFUSED = ['400', '401', '403', '421', '429', '500', '503'];

test('describes every view, and its answers are as it says', async () => {
  const { json, get, examples } = await seededWeb();
  const { body: document } = await json('/openapi.json');
  expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  // A program sends the token; those who need none leave it out.
  expect(document.security).toEqual([{}, { token: [] }]);
  expect(document.components.securitySchemes.token.scheme).toBe('bearer');
  const paths = Object.keys(document.paths);
  expect(paths).toEqual(
    expect.arrayContaining([
      '/',
      ...['rows', 'campaign', 'message', 'live'].flatMap((view) => [`/${view}`, `/${view}.csv`]),
    ]),
  );
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const path of paths) {
    const { get: operation, post } = document.paths[path];
    const { responses } = operation ?? post;
    expect(Object.keys(responses), path).toEqual(expect.arrayContaining(REFUSED));
    if (operation === undefined) continue;
    expect(operation.summary, path).toBeTruthy();
    for (const parameter of operation.parameters ?? []) {
      expect(parameter.description, `${path} ${parameter.name}`).toBeTruthy();
    }
    const schema = operation.responses['200'].content['application/json']?.schema;
    if (schema === undefined) continue;
    const { status, body } = await json(examples[path] ?? path);
    expect([path, status]).toEqual([path, 200]);
    // The document forbids nothing that is not named: an answer must not have it either.
    const isRight = ajv.compile(closed(schema));
    expect([path, isRight(body), isRight.errors]).toEqual([path, true, null]);
    const names = operation.parameters?.map(({ name }: { name: string }) => name) ?? [];
    if (!names.includes('since')) continue;
    const wrong = await json(`${path}?since=x`);
    const problem = ajv.compile(
      closed(operation.responses['400'].content['application/json'].schema),
    );
    expect([path, wrong.status, problem(wrong.body)]).toEqual([path, 400, true]);
  }
  expect((await get('/openapi.json')).headers['content-type']).toContain('application/json');
});

/** The schema without room for members that it does not name. */
function closed(schema: unknown): object {
  return JSON.parse(JSON.stringify(schema), (_key, value) =>
    value?.type === 'object' && value.properties
      ? { ...value, additionalProperties: false }
      : value,
  );
}
