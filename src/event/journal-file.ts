import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** `events`: the journal is where events stay. `pending`: they wait here for the stream to come back. */
export type JournalKind = 'events' | 'pending';

/**
 * One file of the journal: `KIND-TIME-NUMBER.HOST.PID.jsonl`. A file has one writer, which its name tells, so that
 * processes sharing a folder need no locks; whoever takes a dead writer's file over renames it to its own name.
 */
export interface JournalFile {
  readonly kind: JournalKind;
  /** TIME-NUMBER: stays the same when the file changes hands; sorts by time. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
}

/** A writer begins a new file when it has not written for this long: nobody writes to an older one. */
export const IDLE_MS = 600_000;

const NAME = /^(events|pending)-(\d{17}-[\da-f]{10})\.([\w-]+)\.(\d+)\.jsonl$/;
/** This host, as it stands in names of files. */
export const HOST =
  hostname()
    .replace(/[^\w-]/g, '_')
    .slice(0, 40) || 'host';

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
  return { kind: file.kind, id: file.id, host: HOST, pid: process.pid };
}

export function journalPath(folder: string, file: JournalFile): string {
  return join(folder, `${file.kind}-${file.id}.${file.host}.${file.pid}.jsonl`);
}

/** The files in a folder, oldest first; none where there is no folder. */
export async function listJournal(
  folder: string,
  kinds: readonly JournalKind[],
): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const name of await namesIn(folder)) {
    const [, kind, id = '', host = '', pid] = NAME.exec(name) ?? [];
    if (kind !== 'events' && kind !== 'pending') continue;
    if (kinds.includes(kind)) files.push({ kind, id, host, pid: Number(pid) });
  }
  return files.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The files in a folder with their paths and bytes, oldest first. */
export async function journalFiles(
  folder: string,
  kinds: readonly JournalKind[],
): Promise<readonly (JournalFile & { readonly path: string; readonly size: number })[]> {
  const files: (JournalFile & { path: string; size: number })[] = [];
  for (const file of await listJournal(folder, kinds)) {
    const path = journalPath(folder, file);
    const size = (await stat(path).catch(() => undefined))?.size;
    if (size !== undefined) files.push({ ...file, path, size });
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

/**
 * Whether another process may have this file open for writing.
 * On this host the process itself tells; elsewhere (a container of another name, a shared folder) only time does.
 */
export async function mayBeWritten(folder: string, file: JournalFile): Promise<boolean> {
  const written = await stat(journalPath(folder, file)).catch(() => undefined);
  if (!written || Date.now() - written.mtimeMs > 2 * IDLE_MS) return false;
  if (file.host !== HOST) return true;
  if (file.pid === process.pid || !isRunning(file.pid)) return false;
  const started = await startOf(file.pid);
  return started === undefined || started <= timeOf(file) + 1000;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function timeOf({ id }: JournalFile): number {
  const [, date, time, fraction] = /^(\d{8})(\d{6})(\d{3})/.exec(id) ?? [];
  const iso = `${date}T${time}.${fraction}Z`;
  return Date.parse(iso.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)/, '$1-$2-$3T$4:$5:'));
}

/** Unix milliseconds at which a process started, by Linux's /proc: process ids are used again. */
async function startOf(pid: number): Promise<number | undefined> {
  try {
    const [own, system] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'latin1'),
      readFile('/proc/stat', 'latin1'),
    ]);
    // starttime is field 22; field 2 is the name in parentheses and may hold anything.
    const ticks = Number(own.slice(own.lastIndexOf(')') + 2).split(' ')[19]);
    const boot = Number(/^btime (\d+)/m.exec(system)?.[1]);
    // USER_HZ is 100 on every Linux there is.
    return boot * 1000 + ticks * 10;
  } catch {
    return undefined;
  }
}
