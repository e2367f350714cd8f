import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { entriesIn, readIfAny } from '../../lib/files.ts';

/**
 * `events`: events stay in the journal. `pending`: events wait in the journal until the stream is
 * back.
 */
export type JournalKind = 'events' | 'pending';

/**
 * One file of the journal: `KIND-TIME-NUMBER.HOST.PID-STARTED.jsonl`. A file has one writer, named
 * by the file's name, so processes that share a folder need no locks. A process that takes over the
 * file of a dead writer renames it.
 */
export interface JournalFile {
  readonly kind: JournalKind;
  /** TIME-NUMBER: stays the same when another process takes the file over; sorts by time. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /**
   * When that process began, because process ids are reused; empty where the system does not tell.
   */
  readonly started: string;
}

/** A writer changes its file at least this often, if only its time, or begins a new one. */
export const IDLE_MS = 600_000;

const NAME = /^(events|pending)-(\d{17}-[\da-f]{10})\.([\w-]+)\.(\d+)(?:-(\d+))?\.jsonl$/;
/** This host's name in file names. */
export const HOST =
  hostname()
    .replace(/[^\w-]/g, '_')
    .slice(0, 40) || 'host';
const STARTED = startOf(process.pid);

/** Distinguishes and orders the files of one process and millisecond. */
let serial = 0;

export function newJournalFile(kind: JournalKind, now: Date): JournalFile {
  const time = now.toISOString().replace(/\D/g, '');
  serial = (serial + 1) % 0x10000;
  const order = serial.toString(16).padStart(4, '0');
  return ownedHere({ kind, id: `${time}-${order}${randomBytes(3).toString('hex')}` });
}

/** When a file was begun, in Unix milliseconds: no event in it is older. */
export function createdAt({ id }: JournalFile): number {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d{3})/.exec(id) ?? [];
  const [year = 0, month = 1, day, hour, minute, second, ms] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

/** The same file, under the name that makes this process its writer. */
export function ownedHere(file: { kind: JournalKind; id: string }): JournalFile {
  return { kind: file.kind, id: file.id, host: HOST, pid: process.pid, started: STARTED };
}

export function journalPath(folder: string, file: JournalFile): string {
  const { kind, id, host, pid, started } = file;
  return join(folder, `${kind}-${id}.${host}.${pid}${started && `-${started}`}.jsonl`);
}

/** Lists the files in a folder, oldest first; none where there is no folder. */
export async function listJournal(
  folder: string,
  kinds: readonly JournalKind[],
): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const name of await entriesIn(folder)) {
    const [, kind, id = '', host = '', pid, started = ''] = NAME.exec(name) ?? [];
    if (kind !== 'events' && kind !== 'pending') continue;
    if (kinds.includes(kind)) files.push({ kind, id, host, pid: Number(pid), started });
  }
  return files.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A file with its path, its bytes, and the time of its last change in Unix milliseconds. */
export type SizedFile = JournalFile & {
  readonly path: string;
  readonly size: number;
  readonly written: number;
};

/**
 * Lists the files in a folder with their sizes, oldest first, without files that are gone
 * meanwhile.
 */
export async function journalFiles(
  folder: string,
  kinds: readonly JournalKind[],
): Promise<readonly SizedFile[]> {
  const files: SizedFile[] = [];
  for (const file of await listJournal(folder, kinds)) {
    const path = journalPath(folder, file);
    const found = await stat(path).catch(() => undefined);
    if (found) files.push({ ...file, path, size: found.size, written: found.mtimeMs });
  }
  return files;
}

/**
 * The file beside a pending one that says how far it has been replayed; its name survives a change
 * of the writer.
 */
export function offsetPath(folder: string, file: JournalFile): string {
  return join(folder, `pending-${file.id}.offset`);
}

/**
 * @returns 0 where nothing was replayed, and where the offset is impossible: then everything is
 * replayed again
 */
export async function readOffset(folder: string, file: JournalFile): Promise<number> {
  const text = readIfAny(offsetPath(folder, file));
  const offset = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (offset === 0) return 0;
  const { size } = await stat(journalPath(folder, file)).catch(() => ({ size: offset }));
  return offset <= size ? offset : 0;
}

/**
 * Whether a file that was last changed at this time has no writer any more, on any host. A time in
 * the future counts as well: the clock may have been set back.
 */
export function isAbandoned(writtenMs: number): boolean {
  return Math.abs(Date.now() - writtenMs) > 2 * IDLE_MS;
}

/**
 * Whether another process may be writing or replaying this file. On this host the process table
 * answers; for other hosts (a container of another name, a shared folder) only the time of the last
 * change does.
 */
export async function mayBeWritten(folder: string, file: JournalFile): Promise<boolean> {
  const written = await stat(journalPath(folder, file)).catch(() => undefined);
  if (!written) return false;
  const recent = !isAbandoned(written.mtimeMs);
  if (file.host !== HOST) return recent;
  if (file.pid === process.pid || !isRunning(file.pid)) return false;
  const started = startOf(file.pid);
  return file.started === '' || started === '' ? recent : file.started === started;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process began, in clock ticks since boot, which setting the clock does not change; empty
 * where unknown.
 */
function startOf(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // starttime is field 22; field 2 is the name in parentheses and may hold anything.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
