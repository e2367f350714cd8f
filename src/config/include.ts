import { isUtf8 } from 'node:buffer';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { Origin } from '../scope/option-value.ts';
import { type IncludeNode, type Node, parse } from './parser.ts';
import type { Problems } from './problem.ts';

/** Total number of files. */
const MAX_FILES = 10_000;
/** Depth of nested includes. */
const MAX_DEPTH = 16;
/** Total bytes of all files: many times the size of 10,000 peers. */
const MAX_SIZE = 16 * 1024 * 1024;

/** Reads a configuration file, and each included file in the place of its include. */
export function readNodes(file: string, problems: Problems): readonly Node[] {
  return new Reader(file, problems).read(file, { file, line: 1, column: 1 }, []);
}

class Reader {
  readonly #main: string;
  readonly #problems: Problems;
  #files = 0;
  #bytesLeft = MAX_SIZE;

  constructor(main: string, problems: Problems) {
    this.#main = main;
    this.#problems = problems;
  }

  /**
   * @param from the place of the include
   * @param open the real paths of the files being read, the main one first
   */
  read(file: string, from: Origin, open: readonly string[]): readonly Node[] {
    this.#files += 1;
    if (this.#files > MAX_FILES) {
      if (this.#files === MAX_FILES + 1) {
        this.#problems.error(from, `more than ${MAX_FILES} files are included`);
      }
      return [];
    }
    let bytes: Buffer;
    let real: string;
    try {
      real = realpathSync(file);
      if (this.#bytesLeft < 0) return []; // reported
      this.#bytesLeft -= sizeOf(real);
      if (this.#bytesLeft < 0)
        throw new Unreadable(`with it, the files have over ${MAX_SIZE} bytes`);
      bytes = readFileSync(real);
    } catch (error) {
      this.#problems.error(from, `cannot read ${file}: ${whyNot(error)}`);
      return [];
    }
    if (open.includes(real)) {
      this.#problems.error(from, `${file} includes itself: ${[...open, real].join(' > ')}`);
      return [];
    }
    if (open.length > MAX_DEPTH) {
      this.#problems.error(from, `includes are nested more than ${MAX_DEPTH} deep`);
      return [];
    }
    if (!isUtf8(bytes)) this.#warnOfCharset(bytes, file);
    return this.#expand(parse(bytes.toString(), file, this.#problems), [...open, real]);
  }

  /** An error would keep the service from its start for the sake of a comment. */
  #warnOfCharset(bytes: Buffer, file: string): void {
    const lines = bytes.toString('latin1').split('\n');
    const line = lines.findIndex((text) => !isUtf8(Buffer.from(text, 'latin1'))) + 1;
    const message = 'this line is not UTF-8: save the file as UTF-8, or some characters are lost';
    this.#problems.warning({ file, line, column: 1 }, message);
  }

  #expand(nodes: readonly Node[], open: readonly string[]): readonly Node[] {
    return nodes.flatMap((node): readonly Node[] => {
      if (node.kind === 'include') return this.#include(node, open);
      if (node.kind === 'stanza') {
        return [{ ...node, children: this.#expand(node.children, open) }];
      }
      return [node];
    });
  }

  #include({ path, origin }: IncludeNode, open: readonly string[]): readonly Node[] {
    try {
      return this.#find(path.text, origin).flatMap((file) => this.read(file, path.origin, open));
    } catch (error) {
      this.#problems.error(path.origin, `cannot include ${path.text}: ${whyNot(error)}`);
      return [];
    }
  }

  /**
   * The files of an include. A path is relative to the including file first, then to the main file.
   */
  #find(path: string, { file }: Origin): readonly string[] {
    const folders = isAbsolute(path) ? [''] : [dirname(file), dirname(this.#main)];
    for (const folder of folders) {
      const candidate = join(folder, path);
      const stat = statSync(candidate, { throwIfNoEntry: false });
      if (stat?.isDirectory()) return filesOf(candidate);
      if (stat) return [candidate];
    }
    throw new Unreadable('no such file or folder');
  }
}

/** The files of a folder in alphabetical order, without hidden files and subfolders. */
function filesOf(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

function sizeOf(file: string): number {
  const stat = statSync(file);
  if (!stat.isFile()) throw new Unreadable('not a file');
  return stat.size;
}

/** A file that cannot be read; the message is the reason. */
class Unreadable extends Error {}

function whyNot(error: unknown): string {
  if (error instanceof Unreadable) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return { ENOENT: 'no such file or folder', EACCES: 'permission denied' }[code] ?? code;
}
