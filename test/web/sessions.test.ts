import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Session, Sessions, sessionCookie } from '../../src/web/sessions.ts';

const cookieOf = (session: Session) => sessionCookie(session, false).split(';')[0] ?? '';

describe('a session', () => {
  test('is found by its cookie, among others', () => {
    const sessions = new Sessions();
    const session = sessions.open(true);
    const other = cookieOf(new Sessions().open(true));
    for (const cookies of [
      cookieOf(session),
      `a=b; ${cookieOf(session)}; c=d`,
      `${other}; ${cookieOf(session)}`,
      `${cookieOf(session)}; ${other}`,
    ]) {
      expect(sessions.find(cookies)).toBe(session);
    }
    for (const cookies of [
      undefined,
      '',
      'a=b',
      `x${cookieOf(session)}`,
      `${cookieOf(session)}x`,
    ]) {
      expect(sessions.find(cookies)).toBeUndefined();
    }
  });

  test('ends 12 hours after its last request', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const sessions = new Sessions();
    const session = sessions.open(true);
    for (const hours of [11, 11]) {
      vi.advanceTimersByTime(hours * 3_600_000);
      expect(sessions.find(cookieOf(session))).toBe(session);
    }
    vi.advanceTimersByTime(13 * 3_600_000);
    expect(sessions.find(cookieOf(session))).toBeUndefined();
  });

  test('ends alone, or with all', () => {
    const sessions = new Sessions();
    const [one, another] = [sessions.open(true), sessions.open(true)];
    sessions.end(one);
    expect(sessions.find(cookieOf(one))).toBeUndefined();
    expect(sessions.find(cookieOf(another))).toBe(another);
    sessions.endAll();
    expect(sessions.find(cookieOf(another))).toBeUndefined();
  });

  test('has secrets of its own', () => {
    const sessions = new Sessions();
    const [one, another] = [sessions.open(true), sessions.open(true)];
    expect(new Set([one.id, one.formToken, another.id, another.formToken]).size).toBe(4);
  });
});

test('of too many sessions the one that is unused for longest ends', () => {
  const sessions = new Sessions();
  const [first, second] = [sessions.open(true), sessions.open(true)];
  for (let index = 0; index < 998; index++) sessions.open(true);
  sessions.find(cookieOf(first));
  sessions.open(true);
  expect(sessions.find(cookieOf(first))).toBe(first);
  expect(sessions.find(cookieOf(second))).toBeUndefined();
});

test('the cookie is strict', () => {
  const session = new Sessions().open(true);
  expect(sessionCookie(session, false)).toMatch(
    /^clickmilter_session=[\w-]{32}; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  expect(sessionCookie(session, true)).toMatch(/; Secure$/);
  expect(sessionCookie(undefined, false)).toContain('=; Max-Age=0; Path=/;');
});

test('sessions without a login end none with one', () => {
  const sessions = new Sessions();
  const login = sessions.open(true);
  for (let index = 0; index < 2000; index++) sessions.open(false);
  expect(sessions.find(cookieOf(login))).toBe(login);
});

test('a session with a login is found behind others in the header', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const sessions = new Sessions();
  const ended = sessions.open(true);
  vi.advanceTimersByTime(13 * 3_600_000);
  const [other, login] = [sessions.open(false), sessions.open(true)];
  const cookies = [ended, other, login].map(cookieOf).join('; ');
  expect(sessions.find(cookies)).toBe(login);
});
