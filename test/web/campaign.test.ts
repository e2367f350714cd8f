import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMemoryStore } from '../helpers/memory-store/store.ts';
import { AUTUMN, countMonth, HOSTILE } from '../helpers/month-of-clicks.ts';
import { openWeb } from '../helpers/web.ts';

const NOW = Date.parse('2026-03-30T12:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  return () => vi.useRealTimers();
});

const at = (campaign: string, more = '') =>
  `/campaign?campaign=${encodeURIComponent(campaign)}${more}`;

const store = createMemoryStore();
beforeAll(() => countMonth(store.counters, NOW));
const seeded = () => openWeb({ reports: store.counters });

interface Numbers {
  readonly key: string;
  readonly people_clicked: number;
  readonly automatic_clicked: number;
  readonly messages?: number;
}
const sum = (rows: readonly Numbers[], of: 'people_clicked' | 'automatic_clicked' | 'messages') =>
  rows.reduce((total, row) => total + (row[of] ?? 0), 0);

describe('the view of a campaign', () => {
  test('has the same clicks by hour, day, link, place, part and domain', async () => {
    const { json } = await seeded();
    const { status, body } = await json(at(AUTUMN));
    expect(status).toBe(200);
    expect(body).toMatchObject({ campaign: AUTUMN, messages: { value: 900, before: 0 } });
    const { days, hours, links, positions, parts, domains, since_first } = body;
    for (const of of ['people_clicked', 'automatic_clicked'] as const) {
      const all = sum(days, of);
      expect(all).toBeGreaterThan(100);
      for (const rows of [hours, links, positions, parts, domains]) expect(sum(rows, of)).toBe(all);
      expect(since_first.at(-1)[of]).toBe(all);
    }
    expect(sum(hours, 'messages')).toBe(900);
    const people = links.map((row: Numbers) => row.people_clicked);
    expect(people).toEqual([...people].sort((a, b) => b - a));
    expect(links[0].key).toBe('Shop now');
    expect(positions[0].key).toBe('html 0 Shop now');
  });

  test('shows all clicks since its first message, whatever the period', async () => {
    const { json } = await seeded();
    const { body } = await json(at(AUTUMN));
    const { body: later } = await json(at(AUTUMN, '&since=2026-03-30'));
    expect(sum(later.days, 'people_clicked')).toBeLessThan(sum(body.days, 'people_clicked'));
    expect(later.since_first).toEqual(body.since_first);
    expect(later.began).toMatch(/^2026-03-\d\dT\d\d$/);
    expect(later.began).toBe(body.hours[0].key);
  });

  test('compares a period with the one before', async () => {
    const { json } = await seeded();
    const { body } = await json(at('Order confirmations', '&since=2026-03-21&until=2026-03-25'));
    expect(body).toMatchObject({
      messages: { value: 70, before: 70 },
      before: { since: '2026-03-16', until: '2026-03-20' },
    });
  });

  test.each(Object.values(HOSTILE))('shows %j as text', async (name) => {
    const { get } = await seeded();
    const { body, statusCode } = await get(at(name));
    expect(statusCode).toBe(200);
    expect(body).not.toMatch(/<script(?! type="module" src="\/assets\/)|<img|<style| style="/);
  });

  test('is where the names of campaigns lead, whatever they hold', async () => {
    const { get } = await seeded();
    const { body } = await get('/rows?by=campaign');
    const links = [...body.matchAll(/href="(\/campaign\?[^"]*)"/g)].map(([, link = '']) => link);
    const names = links.map((link) =>
      new URL(link.replaceAll('&amp;', '&'), 'http://localhost').searchParams.get('campaign'),
    );
    expect(names).toEqual(expect.arrayContaining([AUTUMN, HOSTILE.markup, HOSTILE.word]));
    for (const name of names) expect((await get(at(name ?? ''))).body).toContain('<figure');
  });

  test('has a title in which its name turns nothing', async () => {
    const { get } = await openWeb();
    const { body } = await get(at('Invoice \u202egnp.exe'));
    const [, title, heading] = /<title>([^\n]+)<\/title>.*<h1>([^\n]+)<\/h1>/s.exec(body) ?? [];
    expect(title).toBe('Campaign Invoice \ufffdgnp.exe · clickmilter');
    expect(heading).toBe('<bdi>Campaign Invoice \ufffdgnp.exe</bdi>');
  });

  test('needs a campaign, and nothing else beside days', async () => {
    const { json, get } = await openWeb();
    expect((await get(at('x'))).body).toMatch(/name="campaign" value="x"[^>]* required>/);
    expect((await get('/')).body).not.toContain('required');
    for (const query of ['', '?campaign=', '?campaign=x&tag=y']) {
      expect((await json(`/campaign${query}`)).status).toBe(400);
    }
  });

  test('of a campaign without counts is a page without plots', async () => {
    const { get } = await openWeb();
    const { body, statusCode } = await get(at('x'));
    expect(statusCode).toBe(200);
    expect(body).not.toContain('<figure');
    expect(body).not.toContain('<table');
    expect(body).toContain('/rows?by=campaign&amp;');
  });

  test('leads from days without counts to its own', async () => {
    const { get } = await seeded();
    const { body } = await get(at(AUTUMN, '&since=2026-03-01&until=2026-03-01'));
    const [, address = ''] = /It began on [\d-]+: <a href="([^"]+)"/.exec(body) ?? [];
    const own = await get(address.replaceAll('&amp;', '&'));
    expect(own.body).toContain('Clicks by day');
    expect(own.body).not.toContain('It began on');
  });
});
