import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readWhole } from '../lib/files.ts';
import type { PageName } from './page-texts.ts';

/** Pages of an operator by their language, which is empty for the page of every other language. */
export type OwnPages = ReadonlyMap<PageName, ReadonlyMap<string, Buffer>>;

/** Bytes of the longest page: each worker keeps all of them in memory. */
const MAX_SIZE = 64 * 1024;
const MAX_PAGES = 200;

const NAMES: Readonly<Record<string, PageName>> = {
  index: 'home',
  404: 'notFound',
  410: 'blocked',
  503: 'unavailable',
};
/** `404.html`, or `404.pt-br.html` for one language. */
const FILE = /^(index|404|410|503)(?:\.([a-z]{2,8}(?:-[a-z\d]{1,8})*))?\.html$/i;

/**
 * Reads the pages in a folder. Files that are not named .html are left alone, and
 * hidden ones, such as locks of editors.
 * @throws Error that says what is wrong with the folder, or a page in it
 */
export function readOwnPages(folder: string): OwnPages {
  const pages = new Map<PageName, Map<string, Buffer>>();
  const files = readdirSync(folder).filter((name) => /^[^.].*\.html?$/i.test(name));
  if (files.length === 0) {
    throw new Error(
      `${folder} has no page: expected one of index.html, 404.html, 410.html, 503.html`,
    );
  }
  if (files.length > MAX_PAGES) throw new Error(`${folder} has more than ${MAX_PAGES} pages`);
  for (const file of files) {
    const [, stem, language = ''] = FILE.exec(file) ?? [];
    const name = NAMES[stem?.toLowerCase() ?? ''];
    if (name === undefined) {
      throw new Error(
        `${join(folder, file)}: expected the name index, 404, 410 or 503, and a language or none, as in 404.de.html`,
      );
    }
    const ofName = pages.get(name) ?? new Map<string, Buffer>();
    ofName.set(language.toLowerCase(), readPage(join(folder, file)));
    pages.set(name, ofName);
  }
  return pages;
}

function readPage(path: string): Buffer {
  const { size } = statSync(path);
  if (size === 0 || size > MAX_SIZE) {
    throw new Error(`${path} has ${size} bytes: expected 1 to ${MAX_SIZE}`);
  }
  const page = readWhole(path);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(page);
  } catch {
    throw new Error(`${path} is not in UTF-8`);
  }
  return page;
}
