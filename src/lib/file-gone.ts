import { unlink } from 'node:fs/promises';

/** What stands for a file's content when the file is gone: other processes remove and rename files at any moment. */
export function noneIfGone(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

/** @returns whether there was such a file, which of several processes only one is told */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    noneIfGone(error as NodeJS.ErrnoException);
    return false;
  }
}
