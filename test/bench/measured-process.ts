import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type PeerProcess, requireProgram, startPeer } from '../helpers/peer-process.ts';

/** What is measured has one core to itself, and the load, with Redis, the other; with one core they share it. */
export const CORES = { load: '0', measured: availableParallelism() > 1 ? '1' : '0' };

/** A program under measurement, with all its descendants. */
export interface MeasuredProcess {
  readonly peer: PeerProcess;
  /** Microseconds of CPU used so far, in user and kernel mode, to the clock tick (10 ms). */
  cpu(): number;
  /** Bytes resident now. */
  memory(): number;
  /** The most bytes that were ever resident. */
  peakMemory(): number;
}

/**
 * Starts a program on the core of what is measured. Its output goes to a file, so that reading it is nobody's work.
 * @param log where standard output and error go
 */
export function startMeasured(
  log: string,
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): MeasuredProcess {
  const onCore = [requireProgram('taskset', 'util-linux'), '-c', CORES.measured];
  const peer = startPeer(
    'sh',
    ['-c', `exec "$@" >>'${log}' 2>&1`, 'sh', ...onCore, file, ...args],
    {
      env,
    },
  );
  const { pid } = peer;
  return {
    peer,
    cpu: () => cpuOf(pid),
    memory: () => sumOf(pid, (each) => statusBytes(each, 'VmRSS')),
    peakMemory: () => sumOf(pid, (each) => statusBytes(each, 'VmHWM')),
  };
}

/** Microseconds of CPU that a process and its descendants have used so far. */
export function cpuOf(pid: number): number {
  return sumOf(pid, cpuMicroseconds);
}

function sumOf(pid: number, read: (pid: number) => number): number {
  return descendants(pid).reduce((total, each) => total + orIfGone(() => read(each), 0), 0);
}

/** Processes and threads may end while they are looked at. */
function orIfGone<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** For `pin`: no confinement. */
export const EVERY_CORE = `0-${availableParallelism() - 1}`;

/** Confines a running process, all its threads, and what it will start to some cores. */
export function pin(pid: number, cores: string): void {
  execFileSync(requireProgram('taskset', 'util-linux'), ['-a', '-cp', cores, String(pid)]);
}

function descendants(pid: number): number[] {
  const tasks = orIfGone(() => readdirSync(`/proc/${pid}/task`), []);
  const children = tasks.flatMap((task) => childrenOf(pid, task));
  return [pid, ...children.map(Number).flatMap(descendants)];
}

function childrenOf(pid: number, task: string): string[] {
  const file = `/proc/${pid}/task/${task}/children`;
  return orIfGone(() => readFileSync(file, 'latin1').split(' ').filter(Boolean), []);
}

/** proc(5): fields 14 to 17 of stat are utime, stime, cutime and cstime, in ticks of 1/100 s. */
function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0) * 10_000;
}

function statusBytes(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
}
