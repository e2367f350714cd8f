import { constants, open } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Page } from './pages.ts';

/** Larger files are not what this folder is for. */
const MAX_SIZE = 1024 * 1024;

// Components of plain characters that do not begin with a dot: no way up, and nothing hidden.
const PATH =
  /^\/(?:robots\.txt|favicon\.ico|apple-app-site-association|\.well-known(?:\/[\w+~-][\w.+~-]*){1,4})$/;

/** What opening a file says of a path that can name none, or names a socket. */
const NO_SUCH_FILE: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'ENXIO',
]);

/** Opening a pipe would wait for its writer, and take a thread from all other files. */
const { O_RDONLY, O_NONBLOCK } = constants;

const TYPES: Readonly<Record<string, string>> = {
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.ico': 'image/vnd.microsoft.icon',
  '.html': 'text/html; charset=utf-8',
};

/** Links are for the people they were sent to; used where the folder has no file of its own. */
const ROBOTS = 'User-agent: *\nDisallow: /\n';

/** Whether a path is one of those that name files, never links. */
export function isStaticPath(path: string): boolean {
  return PATH.test(path);
}

/**
 * Reads a file below the folder at its URL's path: robots.txt, favicon.ico, .well-known/… and what
 * iOS and Android ask for to open links in an app. Reads the file again for each request: these are
 * rare, and certificate tools put files there that live for seconds.
 * @returns undefined where there is no such file
 */
export async function readStaticFile(
  folder: string | undefined,
  path: string,
): Promise<Page | undefined> {
  const file = folder === undefined ? undefined : await read(join(folder, path));
  const body = file ?? (path === '/robots.txt' ? ROBOTS : undefined);
  return (
    body && {
      status: 200,
      body,
      headers: {
        'content-type': contentType(path),
        'content-length': String(Buffer.byteLength(body)),
        'x-content-type-options': 'nosniff',
      },
    }
  );
}

function contentType(path: string): string {
  // Apple wants JSON without an extension; RFC 8615 files without one are text, as ACME challenges
  // are.
  if (path.endsWith('/apple-app-site-association')) return 'application/json';
  return TYPES[extname(path)] ?? 'text/plain; charset=utf-8';
}

async function read(file: string): Promise<Buffer | undefined> {
  try {
    const handle = await open(file, O_RDONLY | O_NONBLOCK);
    try {
      const stat = await handle.stat();
      return stat.isFile() && stat.size <= MAX_SIZE ? await handle.readFile() : undefined;
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && NO_SUCH_FILE.has(code)) return undefined;
    throw error;
  }
}
