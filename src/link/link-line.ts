import type { TrackedLink } from './message-facts.ts';

/**
 * A link as one line of a record, without its LF: `h` or `t` for its part, the target, and where it has one, a tab and
 * its name in JSON.
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function linkLine({ part, target, name }: TrackedLink): string {
  if (/[\t\r\n]/.test(target)) throw new RangeError('a target holds no tab and no line break');
  const line = (part === 'html' ? 'h' : 't') + target;
  return name === undefined ? line : `${line}\t${JSON.stringify(name)}`;
}

/** The lines of all links of a message, each with its LF. */
export function linkLines(links: readonly TrackedLink[]): string {
  return links.map((link) => `${linkLine(link)}\n`).join('');
}

export function parseLinkLine(line: string): TrackedLink {
  const tab = line.indexOf('\t');
  const part = line.startsWith('h') ? 'html' : 'text';
  if (tab === -1) return { target: line.slice(1), part };
  return { target: line.slice(1, tab), part, name: JSON.parse(line.slice(tab + 1)) as string };
}
