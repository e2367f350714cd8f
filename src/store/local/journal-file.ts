import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** `events`: the journal is where events stay. `pending`: they wait here for the stream to come back. */
export type JournalKind = 'events' | 'pending';

/**
 * One file of the journal: `KIND-TIME-NUMBER.HOST.PID-STARTED.jsonl`. A file has one writer, which its name tells, so that
 * processes sharing a folder need no locks; whoever takes a dead writer's file over renames it to its own name.
 */
export interface JournalFile {
  readonly kind: JournalKind;
  /** TIME-NUMBER: stays the same when the file changes hands; sorts by time. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** When that process began, since numbers of processes are used again; empty in names from earlier releases. */
  readonly started: string;
}

/** A writer changes its file at least this often, if only its time, or begins a new one: nobody writes to an older one. */
export const IDLE_MS = 600_000;

const NAME = /^(events|pending)-(\d{17}-[\da-f]{10})\.([\w-]+)\.(\d+)(?:-(\d+))?\.jsonl$/;
/** This host, as it stands in names of files. */
export const HOST =
  hostname()
    .replace(/[^\w-]/g, '_')
    .slice(0, 40) || 'host';
const STARTED = startOf(process.pid);

/** Tells files of one process and millisecond apart, in their order. */
let serial = 0;

export function newJournalFile(kind: JournalKind, now: Date): JournalFile {
  const time = now.toISOString().replace(/\D/g, '');
  serial = (serial + 1) % 0x10000;
  const order = serial.toString(16).padStart(4, '0');
  return ownedHere({ kind, id: `${time}-${order}${randomBytes(3).toString('hex')}` });
}

/** The same file under a name that says this process writes it. */
export function ownedHere(file: { kind: JournalKind; id: string }): JournalFile {
  return { kind: file.kind, id: file.id, host: HOST, pid: process.pid, started: STARTED };
}

export function journalPath(folder: string, file: JournalFile): string {
  const { kind, id, host, pid, started } = file;
  return join(folder, `${kind}-${id}.${host}.${pid}${started && `-${started}`}.jsonl`);
}

/** The files in a folder, oldest first; none where there is no folder. */
export async function listJournal(
  folder: string,
  kinds: readonly JournalKind[],
): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const name of await namesIn(folder)) {
    const [, kind, id = '', host = '', pid, started = ''] = NAME.exec(name) ?? [];
    if (kind !== 'events' && kind !== 'pending') continue;
    if (kinds.includes(kind)) files.push({ kind, id, host, pid: Number(pid), started });
  }
  return files.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** One with its path, its bytes, and when it was written to, in Unix milliseconds. */
export type SizedFile = JournalFile & {
  readonly path: string;
  readonly size: number;
  readonly written: number;
};

/** The files in a folder, oldest first, without those that are gone meanwhile. */
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

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether nobody writes any more to a file that was last changed then, wherever its writer is. */
export function isAbandoned(writtenMs: number): boolean {
  return Date.now() - writtenMs > 2 * IDLE_MS;
}

/**
 * Whether another process may have this file open, or be replaying it.
 * On this host the process itself tells; elsewhere (a container of another name, a shared folder) only time does.
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

/** When a process began, in clock ticks since boot, which no clock that is set changes; empty where nobody tells. */
function startOf(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // starttime is field 22; field 2 is the name in parentheses and may hold anything.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
