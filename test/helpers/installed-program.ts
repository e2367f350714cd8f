import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { builtProgram } from './built-program.ts';

/** A copy of the built program that an upgrade may replace and a removal may take away. */
export interface InstalledProgram {
  /** Its cli.js. */
  readonly path: string;
  /** Writes all of its files again. */
  replace(): void;
  remove(): void;
}

/** @param folder gets a folder `program`, which is the caller's to remove */
export function installProgram(folder: string): InstalledProgram {
  const built = dirname(builtProgram);
  const root = join(folder, 'program');
  const remove = () => rmSync(root, { recursive: true, force: true });
  const replace = () => {
    remove();
    mkdirSync(root);
    cpSync(built, join(root, 'dist'), { recursive: true });
    cpSync(join(built, '../package.json'), join(root, 'package.json'));
    symlinkSync(join(built, '../node_modules'), join(root, 'node_modules'));
  };
  replace();
  return { path: join(root, 'dist/cli.js'), replace, remove };
}
