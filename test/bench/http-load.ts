import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { requireProgram } from '../helpers/peer-process.ts';
import { peerFile } from './milters.ts';

/** Requests a second, and latencies in milliseconds. */
export type HttpFigures = Record<'rate' | 'requests' | 'p50' | 'p99', number>;

export interface HttpLoad {
  readonly port: number;
  readonly host: string;
  /** A file with a path on each line. */
  readonly paths: string;
  readonly connections: number;
  readonly seconds: number;
}

/**
 * Asks for the paths in turn over many connections, with wrk, or with autocannon where wrk is not installed.
 * @throws when anything but a redirect is answered
 */
export async function httpLoad(load: HttpLoad): Promise<HttpFigures> {
  let wrk: string;
  try {
    wrk = requireProgram('wrk', 'wrk');
  } catch {
    return withAutocannon(load);
  }
  return withWrk(wrk, load);
}

async function withWrk(wrk: string, load: HttpLoad): Promise<HttpFigures> {
  const args = [
    ...[
      '-t',
      '1',
      '-c',
      String(load.connections),
      '-d',
      `${Math.ceil(load.seconds)}s`,
      '--latency',
      '--timeout',
      '60s',
    ],
    ...['-H', `Host: ${load.host}`, '-s', peerFile('paths.lua')],
    ...[`http://127.0.0.1:${load.port}`, '--', load.paths],
  ];
  const { stdout } = await promisify(execFile)(wrk, args);
  const found = (pattern: RegExp) => pattern.exec(stdout)?.slice(1) ?? [];
  if (/Non-2xx or 3xx responses|Socket errors/.test(stdout)) throw new Error(stdout);
  return {
    rate: Number(found(/Requests\/sec:\s+([\d.]+)/)[0]),
    requests: Number(found(/(\d+) requests in/)[0]),
    p50: milliseconds(found(/50%\s+([\d.]+)(us|ms|s)/)),
    p99: milliseconds(found(/99%\s+([\d.]+)(us|ms|s)/)),
  };
}

function milliseconds([figure, unit]: readonly string[]): number {
  return Number(figure) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1);
}

async function withAutocannon(load: HttpLoad): Promise<HttpFigures> {
  const paths = (await readFile(load.paths, 'utf8')).split('\n').filter(Boolean);
  const result = await autocannon({
    url: `http://127.0.0.1:${load.port}`,
    connections: load.connections,
    duration: Math.ceil(load.seconds),
    headers: { host: load.host },
    requests: paths.map((path) => ({ path })),
  });
  if (result.errors > 0 || result['4xx'] + result['5xx'] > 0) {
    throw new Error(`${result.errors} errors, ${result['4xx']} 4xx, ${result['5xx']} 5xx answers`);
  }
  return {
    rate: result.requests.average,
    requests: result.requests.total,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}
