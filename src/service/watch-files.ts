import { unwatchFile, watchFile } from 'node:fs';

/**
 * Calls back when one of the files is another one than before: written anew, replaced, or a symbolic link that
 * leads elsewhere, as those of certbot do. It looks every `intervalMs`, since a watch of the kernel sticks to the file
 * that was there first. Files that change together, within one interval, are one change.
 * @returns stops watching
 */
export function watchFiles(
  paths: readonly string[],
  onChange: () => void,
  intervalMs = 10_000,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, Math.min(intervalMs, 1_000));
    timer.unref();
  };
  for (const path of paths) watchFile(path, { interval: intervalMs, persistent: false }, changed);
  return () => {
    clearTimeout(timer);
    for (const path of paths) unwatchFile(path, changed);
  };
}
