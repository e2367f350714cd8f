import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { poll } from '../helpers/poll.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

// The pages of a host, as readers get them from the real service.

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-own-pages-'));
writeFileSync(join(folder, '404.de.html'), '<!doctype html><title>Nichts</title>');
let service: Service;
beforeAll(async () => {
  service = await startService(
    `workers = 2 HTTP_Listener { contact = "postmaster@x.example" pages = "${folder}" }`,
  );
});
afterAll(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true });
});

function get(path: string, language: string, method = 'GET') {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const headers = { 'accept-language': language };
    request({ port: service.httpPort, path, method, headers }, (answer) => {
      text(answer).then((body) => resolve({ status: answer.statusCode, body }), reject);
    })
      .on('error', reject)
      .end();
  });
}

test('/ says what the host does and whom to ask; HEAD has no body', async () => {
  const { status, body } = await get('/', 'fr-CA');
  expect(status).toBe(200);
  expect(body).toContain('<h1>Liens dans les e-mails</h1>');
  expect(body).toContain('<a href="mailto:postmaster@x.example">');
  expect(await get('/', 'fr-CA', 'HEAD')).toEqual({ status: 200, body: '' });
});

test('own pages are read at the start and at each reload, by every worker', async () => {
  expect(await get('/nothing', 'de')).toMatchObject({
    status: 404,
    body: expect.stringContaining('Nichts'),
  });
  expect((await get('/nothing', 'en')).body).toContain('This link leads nowhere');
  writeFileSync(join(folder, '404.de.html'), '<!doctype html><title>Neu</title>');
  expect((await get('/nothing', 'de')).body).toContain('Nichts');
  service.signal('SIGHUP');
  await poll('the new page', async () => {
    const bodies = await Promise.all(Array.from({ length: 10 }, () => get('/nothing', 'de')));
    return bodies.every(({ body }) => body.includes('Neu'));
  });
});

test('a bad folder is an error of check, and a reload keeps the pages that there are', async () => {
  const bad = join(folder, '500.html');
  writeFileSync(bad, 'x');
  const { code, stdout } = await runCli(['--config', service.configFile, 'check']);
  expect(code).toBe(78);
  expect(stdout.toString()).toMatch(/pages cannot be used here: .*500.html: expected the name/);
  const before = service.output().length;
  service.signal('SIGHUP');
  await poll('the log', () => service.output().slice(before).includes('500.html: expected'));
  expect((await get('/nothing', 'de')).body).toContain('Neu');
});
