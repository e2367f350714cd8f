import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CACHE = join(ROOT, '.cache');

const NEEDED = ['src', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/** An earlier commit that was built. */
export interface Build {
  /** The full hash. */
  readonly commit: string;
  /** Its command line program. */
  readonly cli: string;
}

/** Builds what is measured, in a folder of its own: the program that runs from dist/ stays as it is. */
export function build(): string {
  const dir = join(CACHE, 'bench');
  mkdirSync(dir, { recursive: true });
  copyFileSync(join(ROOT, 'package.json'), join(dir, 'package.json'));
  compile(ROOT, join(dir, 'dist'));
  return join(dir, 'dist', 'cli.js');
}

/**
 * Builds an earlier commit, once. It gets the packages of its own lock file.
 * @throws Error for what is not a commit of this repository
 */
export function buildCommit(name: string): Build {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const commit = git('rev-parse', '--verify', `${name}^{commit}`).toString().trim();
  const dir = join(CACHE, 'against', commit);
  const cli = join(dir, 'dist', 'cli.js');
  if (existsSync(cli)) return { commit, cli };
  // Complete under its name, or not there at all.
  const unfinished = `${dir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const archive = join(unfinished, 'source.tar');
  git('archive', '--output', archive, commit, ...NEEDED);
  execFileSync('tar', ['-xf', archive, '-C', unfinished]);
  const lock = 'package-lock.json';
  if (readFileSync(join(ROOT, lock)).equals(readFileSync(join(unfinished, lock)))) {
    symlinkSync(join(ROOT, 'node_modules'), join(unfinished, 'node_modules'));
  } else {
    execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: unfinished, stdio: 'inherit' });
  }
  compile(unfinished, join(unfinished, 'dist'));
  renameSync(unfinished, dir);
  return { commit, cli };
}

function compile(root: string, outDir: string): void {
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const args = ['-p', join(root, 'tsconfig.build.json'), '--noCheck', '--outDir', outDir];
  execFileSync(tsc, args, { stdio: 'inherit' });
  // What the engagement page sends to browsers; the first release had none.
  const browser = join('web', 'browser');
  if (existsSync(join(root, 'src', browser)))
    cpSync(join(root, 'src', browser), join(outDir, browser), { recursive: true });
}
