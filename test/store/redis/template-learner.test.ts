import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { linkLines } from '../../../src/link/link-line.ts';
import type { TrackedLink } from '../../../src/link/message-facts.ts';
import { encodeInstance, OpenRecord } from '../../../src/link/message-record.ts';
import { TemplateLearner } from '../../../src/store/redis/template-learner.ts';
import { exampleMessage } from '../../link/example-message.ts';

const offers = Array.from({ length: 10 }, (_, i) => `https://shop.example/offer-${i}/x`);
const asLinks = (targets: readonly string[]) =>
  targets.map((target): TrackedLink => ({ target, part: 'html' }));

/** What becomes a template of messages with these targets, each to somebody else. */
function templateOf(messages: readonly (readonly string[])[], subjects: readonly string[] = []) {
  const record = (targets: readonly string[], i: number) => ({
    message: exampleMessage({ subject: subjects[i] ?? 'Autumn' }),
    secret: 's',
    links: asLinks(targets),
  });
  const [first = [], ...others] = messages;
  const begun = record(first, 0);
  const learner = new TemplateLearner(begun.message, linkLines(begun.links), 'recipient 0');
  const learned = others.map((targets, i) =>
    learner.learn(record(targets, i + 1), `recipient ${i + 1}`),
  );
  const template = learner.template(6, 100);
  return { learned, text: template?.text };
}

test('what only some of the messages have is not in it', () => {
  const { text } = templateOf(
    [
      [...offers, 'https://a.example/of-ada'],
      [...offers.slice(0, 5), 'https://b.example/of-bob', ...offers.slice(5)],
      [...offers.slice(1)],
    ],
    ['Autumn', 'Autumn for Bob'],
  );
  expect(text?.match(/https:..shop/g)).toHaveLength(9);
  expect(text).toContain('offer-9');
  expect(text).not.toMatch(/offer-0|of-ada|of-bob|Autumn/);
  expect(text).toContain('"c":"autumn-2026"');
});

describe('of a link that each has of his own', () => {
  const lineOf = (...targets: string[]) =>
    templateOf(targets.map((target) => [...offers, target])).text?.split('\n')[11];

  test.each([
    ['a number', ['/u?id=4711', '/u?id=4712', '/u?id=48'], 'H/u?id=\t'],
    ['a number in the middle', ['/u/4711/go', '/u/4722/go', '/u/4/go'], 'H/u/\t/go'],
    ['an address', ['/u?a=ada@x.example', '/u?a=abe@x.example'], 'H/u?a=\t@x.example'],
    ['words that begin alike', ['/u?t=abcdef', '/u?t=abcxyz'], 'H/u?t=\t'],
    ['one that is the beginning of another', ['/u?id=47', '/u?id='], 'H/u?id=\t'],
    ['three times the same', ['/u?id=7&e=7&f=7', '/u?id=8&e=8&f=8'], 'H/u?id=\t'],
    ['other than ASCII', ['/u?id=ä1', '/u?id=ä2'], ''],
  ])('%s: only what is around it is in it', (_, paths, line) => {
    const host = 'https://shop.example';
    expect(lineOf(...paths.map((path) => host + path))).toBe(line && `H${host}${line.slice(1)}`);
  });

  test.each<Partial<TrackedLink>>([{ part: 'text' }, { name: 'Leave' }, { unsubscribe: true }])(
    'nothing where only one of them has %j',
    (own) => {
      const other: TrackedLink = { target: 'https://shop.example/u?id=2', part: 'html' };
      const first = { ...other, target: 'https://shop.example/u?id=1', ...own };
      const lines = linkLines([...asLinks(offers), first]);
      const learner = new TemplateLearner(exampleMessage(), lines, 'a');
      const links = [...asLinks(offers), other];
      expect(learner.learn({ message: exampleMessage(), secret: 's', links }, 'b')).toBe(true);
      expect(learner.template(6, 100)?.links).toHaveLength(10);
    },
  );

  test('of an unsubscribe link, it stays one', () => {
    const links = (id: number): TrackedLink[] => [
      ...asLinks(offers),
      { target: `https://shop.example/u?id=${id}`, part: 'html', unsubscribe: true },
    ];
    const learner = new TemplateLearner(exampleMessage(), linkLines(links(1)), 'a');
    const second = { message: exampleMessage(), secret: 's', links: links(22) };
    expect(learner.learn(second, 'b')).toBe(true);
    const template = learner.template(6, 100);
    expect(template?.text).toContain('\nUhttps://shop.example/u?id=\t\n');
    const copy = template && encodeInstance(second, template);
    const { messageId } = second.message;
    const open = copy && new OpenRecord(copy, messageId, template);
    expect(open?.contents().links).toEqual(second.links);
  });
});

test('a message that is another one, or to a recipient who has got one, changes nothing', () => {
  const others = offers.map((target) => target.replace('shop', 'elsewhere'));
  expect(templateOf([offers, others, [...offers.slice(0, 4), ...others], offers])).toMatchObject({
    learned: [false, false, true],
  });
  const learner = new TemplateLearner(exampleMessage(), linkLines(asLinks(offers)), 'a');
  const again = { message: exampleMessage(), secret: 's', links: asLinks(offers) };
  for (let times = 0; times < 100; times++) expect(learner.learn(again, 'a')).toBe(false);
  expect(learner.recipients).toBe(1);
});

test('few links, or short ones, are not worth a template', () => {
  expect(templateOf([offers.slice(0, 5), offers.slice(0, 5)]).text).toBeUndefined();
  expect(templateOf(Array(2).fill(Array(7).fill('http://x/'))).text).toBeUndefined();
});

test('keeps no message alive that it was found in', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const size = 1_000_000;
  /** Targets and a subject as they are found: pieces of something large. */
  const found = (recipient: string) => {
    const whole = Buffer.alloc(
      size,
      `Bulbs-to-plant-this-autumn ${offers.join(' ')} https://shop.example/u/${recipient}/y `,
    );
    const [, subject = '', ...targets] = /^(\S+) (.*?) Bulbs/.exec(whole.toString('latin1')) ?? [];
    const links = asLinks((targets[0] ?? '').split(' '));
    return { message: exampleMessage({ subject }), secret: 's', links };
  };
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const candidates = Array.from({ length: 50 }, (_, i) => {
    const { message, links } = found('first');
    const learner = new TemplateLearner(message, linkLines(links), 'first');
    expect(learner.learn(found(`other-${i}`), 'other')).toBe(true);
    return learner;
  });
  collectGarbage();
  const kept = process.memoryUsage().heapUsed - before;
  expect(candidates.length * size).toBeGreaterThan(kept * 5);
});
