import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Click } from '../../src/click/click.ts';
import { clickOn } from '../../src/redirect/follow-link.ts';
import { resolvedLink } from '../redirect/fake-links.ts';
import { Judge } from './judge.ts';

const INJECTED = 1_790_000_000;

/** The requests for the links of one message, all by people or all by programs. */
interface Session {
  readonly title: string;
  readonly isAutomatic: boolean;
  readonly linkCount: number;
  readonly requests: { readonly method: string; readonly click: Click }[];
}

function readLog(text: string): Session[] {
  const agents = new Map<string, string>();
  const sessions: Session[] = [];
  for (const line of text.split('\n')) {
    const [first = '', ...rest] = line.split(' ');
    const session = sessions.at(-1);
    if (first === 'agent') agents.set(rest[0] ?? '', rest.slice(1).join(' '));
    else if (first === '=') {
      const [who, links, ...title] = rest;
      const isAutomatic = who === 'automatic';
      const linkCount = Number(links);
      sessions.push({ title: title.join(' '), isAutomatic, linkCount, requests: [] });
    } else if (/^\d/.test(first) && session !== undefined) {
      const [client, method = '', link, agent = '', header = ''] = rest;
      const [name = '', value = ''] = header.split(':');
      const messageId = `message${String(sessions.length).padStart(9, '0')}`;
      const facts = { messageId, injectionTime: INJECTED };
      const resolved = resolvedLink({}, facts, session.linkCount);
      const token = `${messageId}-${link}`;
      const headers = { 'user-agent': agents.get(agent), [name.toLowerCase()]: value };
      const time = (INJECTED + Number(first)) * 1000;
      const click = clickOn({ token, resolved }, time, client, headers, false);
      session.requests.push({ method, click });
    }
  }
  return sessions;
}

/** How many clicks of each session are automatic in the end. */
function judge({ requests }: Session): { readonly clicks: number; readonly automatic: number } {
  const judge = new Judge();
  const automatic = new Set<string>();
  let clicks = 0;
  for (const { method, click } of [...requests].sort((a, b) => a.click.time - b.click.time)) {
    if (method === 'HEAD') judge.headSeen(click.token, click.time);
    else {
      const id = `click-${clicks++}`;
      const { is_automatic, reclassifies = [] } = judge.look(click, id);
      for (const one of is_automatic ? [id, ...reclassifies] : reclassifies) automatic.add(one);
    }
  }
  return { clicks, automatic: automatic.size };
}

test('precision and recall of is_automatic are at least 0.95, and docs/events.md lists what is missed', () => {
  const log = readLog(readFileSync(join(import.meta.dirname, 'requests.log'), 'utf8'));
  const judged = log.map((session) => ({ ...session, ...judge(session) }));
  const sum = (numbers: readonly number[]) => numbers.reduce((one, other) => one + other, 0);
  const programs = judged.filter(({ isAutomatic }) => isAutomatic);
  const people = judged.filter(({ isAutomatic }) => !isAutomatic);
  const found = sum(programs.map(({ automatic }) => automatic));
  const precision = found / (found + sum(people.map(({ automatic }) => automatic)));
  const recall = found / sum(programs.map(({ clicks }) => clicks));
  const clicks = sum(judged.map((one) => one.clicks));
  console.log(
    `is_automatic: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)} of ${clicks} clicks`,
  );
  expect(clicks).toBeGreaterThanOrEqual(300);
  expect(precision).toBeGreaterThanOrEqual(0.95);
  expect(recall).toBeGreaterThanOrEqual(0.95);

  const page = readFileSync(join(import.meta.dirname, '../../docs/events.md'), 'utf8');
  const [, list = ''] = /<!-- missed -->\n\n([\s\S]*?)\n\n<!-- \/missed -->/.exec(page) ?? [];
  const missed = judged.filter(({ isAutomatic, automatic, clicks }) =>
    isAutomatic ? automatic < clicks : automatic > 0,
  );
  expect(list.split('\n')).toEqual(missed.map(({ title }) => `* ${title}.`));
});
