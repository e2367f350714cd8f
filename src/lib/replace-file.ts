import { rename, writeFile } from 'node:fs/promises';

/** Replaces a file's content at once: readers, also those after a crash, see the old or the new one. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const next = `${path}.${process.pid}.tmp`;
  await writeFile(next, content, { mode: 0o640, flush: true });
  await rename(next, path);
}
