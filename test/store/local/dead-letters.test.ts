import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DeadLetters } from '../../../src/store/local/dead-letters.ts';

test('an event that another program wrote over several lines is one line', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-dead-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const event = { msys: { track_event: { event_id: '1', target_link_name: 'a\r\nb' } } };
  const number = '{"msys":{"track_event":{"x":9007199254740993}}}';
  const box = new DeadLetters(folder);
  await box.add(
    [JSON.stringify(event), `{"msys":${JSON.stringify(event.msys, null, 2)} \r\n} `],
    'x',
  );
  await box.add([`${number}\n`], 'y');
  const lines = (await readFile(box.path, 'utf8')).split('\n');
  expect(lines.pop()).toBe('');
  const letter = { time: expect.any(String), reason: 'x' };
  expect(lines.slice(0, 2).map((line) => JSON.parse(line))).toEqual([
    { ...event, dead_letter: letter },
    { ...event, dead_letter: letter },
  ]);
  expect(lines.slice(2)).toEqual([expect.stringContaining(number.slice(0, -1))]);
  expect(JSON.parse(lines[2] ?? '').dead_letter.reason).toBe('y');
});

test('an event that comes again, also after a restart in the middle of a line, is kept once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-dead-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const event = (n: number) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;
  const { path } = new DeadLetters(folder);
  const ids = async () =>
    (await readFile(path, 'utf8'))
      .split('\n')
      .flatMap((line) => /"event_id":"(\d)".*}$/.exec(line)?.[1] ?? []);
  await new DeadLetters(folder).add([event(1), event(2)], 'HTTP 400');
  await appendFile(path, event(3).slice(0, -3));
  const box = new DeadLetters(folder);
  for (let again = 0; again < 2; again++) {
    await box.add([1, 2, 3, 4].map(event), 'HTTP 400');
    expect(await ids()).toEqual(['1', '2', '3', '4']);
  }
  const full = new DeadLetters(folder, 1);
  await full.add([event(5)], 'HTTP 400');
  await new DeadLetters(folder).add([5, 6].map(event), 'HTTP 400');
  expect(await ids()).toEqual(['6']);
});
