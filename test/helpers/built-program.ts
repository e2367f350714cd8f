import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** What `npm run build` makes, the program that users run. */
export const builtProgram = join(root, 'dist/cli.js');

/** Builds the program where sources are younger: before the first test, whose time it would take. */
export default function buildProgram(): void {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const youngest = Math.max(...sources.map((file) => statSync(join(root, 'src', file)).mtimeMs));
  if (!existsSync(builtProgram) || statSync(builtProgram).mtimeMs < youngest) {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
  }
}
