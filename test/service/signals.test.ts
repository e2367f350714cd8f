import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { handleSignals } from '../../src/service/signals.ts';

let source: EventEmitter;
let said: string[];
let reloads: (() => void)[];
let takeAway: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  source = new EventEmitter();
  said = [];
  reloads = [];
  takeAway = handleSignals(
    {
      stop: () => said.push('stop'),
      stopNow: () => said.push('stop now'),
      reload: () => {
        said.push('reload');
        return new Promise((resolve) => reloads.push(resolve));
      },
    },
    source,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

describe('handleSignals', () => {
  test.each(['SIGTERM', 'SIGINT'])('%s stops; the second one stops at once', (signal) => {
    source.emit(signal);
    expect(said).toEqual(['stop']);
    vi.advanceTimersByTime(1_000);
    source.emit('SIGTERM');
    expect(said).toEqual(['stop', 'stop now']);
  });

  test('the same Ctrl-C heard twice is one', () => {
    source.emit('SIGINT');
    vi.advanceTimersByTime(10);
    source.emit('SIGINT');
    expect(said).toEqual(['stop']);
  });

  test('SIGHUP in the middle of a reload, however often, is one more reload afterwards', async () => {
    source.emit('SIGHUP');
    source.emit('SIGHUP');
    source.emit('SIGHUP');
    expect(said).toEqual(['reload']);
    reloads.pop()?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(said).toEqual(['reload', 'reload']);
    reloads.pop()?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(said).toEqual(['reload', 'reload']);
    source.emit('SIGHUP');
    expect(said).toEqual(['reload', 'reload', 'reload']);
  });

  test('a service that stops does not reload', () => {
    source.emit('SIGTERM');
    source.emit('SIGHUP');
    expect(said).toEqual(['stop']);
  });

  test('can be taken away', () => {
    takeAway();
    expect(source.eventNames()).toEqual([]);
  });
});
