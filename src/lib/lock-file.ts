import { lstat, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from './service-files.ts';

const RETRY_MS = 20;
/** Nobody holds a lock for so long, unless killed: what is done under it takes milliseconds. */
const STALE_MS = 10_000;

/** Does something that only one process at a time may do; the others wait. The file is there while it is done. */
export async function locked<T>(path: string, action: () => Promise<T>): Promise<T> {
  while (!(await take(path))) await sleep(RETRY_MS);
  return action().finally(() => rm(path, { force: true }));
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const held = await lstat(path).catch(() => undefined);
  // Also a time to come: the clock may have been set back.
  if (held && Math.abs(Date.now() - held.mtimeMs) > STALE_MS) await rm(path, { force: true });
  return false;
}
