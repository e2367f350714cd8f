import type { Fields, Logger } from '../../src/lib/logger.ts';
import type { Metrics } from '../../src/lib/metrics.ts';

export interface Line extends Fields {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
}

/** A logger at level info or debug, and the lines that were written. */
export function recordedLog(level: 'info' | 'debug' = 'info') {
  const lines: Line[] = [];
  const writer =
    (level: Line['level']) =>
    (...line: [Fields, string] | [string]) => {
      const [fields, message] = line.length === 1 ? [{}, line[0]] : line;
      lines.push({ level, message, ...fields });
    };
  const logger: Logger = {
    debug: level === 'debug' ? writer('debug') : () => {},
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    isLevelEnabled: (asked) => asked !== 'debug' || level === 'debug',
  };
  return { logger, lines };
}

/** Metrics, and what they were told: each count as its metric and labels, as often as it was counted. */
export function recordedMetrics() {
  const counts: string[] = [];
  const gauges = new Map<string, () => unknown>();
  const metrics: Metrics = {
    count(name, labels, by = 1) {
      const series = [name, ...Object.values(labels)].join(' ');
      for (let times = 0; times < by; times++) counts.push(series);
    },
    observe() {},
    gauge: (name, read) => void gauges.set(name, read),
  };
  return { metrics, counts, gauges };
}
