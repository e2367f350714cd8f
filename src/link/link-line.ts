import type { TrackedLink } from './facts.ts';

/**
 * A link as one line of a record, without its LF: `h` or `t` for its part, the target, and where it has one, a tab and
 * its name in JSON.
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function linkLine(link: TrackedLink): string {
  return linkLines([link]).slice(0, -1);
}

/**
 * The lines of all links of a message, each with its LF.
 * @throws RangeError as `linkLine`
 */
export function linkLines(links: readonly TrackedLink[]): string {
  let names = 0;
  const lines = links.map(({ part, target, name }) => {
    const line = (part === 'html' ? 'h' : 't') + target;
    if (name === undefined) return line;
    names++;
    return `${line}\t${JSON.stringify(name)}`;
  });
  lines.push('');
  const text = lines.join('\n');
  // Counted in the whole, which is quicker than a look at each target. Nothing of that is in a name in JSON.
  if (count(text, '\n') !== links.length || count(text, '\t') !== names || text.includes('\r')) {
    throw new RangeError('a target holds no tab and no line break');
  }
  return text;
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found++;
  return found;
}

/** @throws Error for a line that is no link */
export function parseLinkLine(line: string): TrackedLink {
  const tab = line.indexOf('\t');
  const kind = line[0];
  if (kind !== 'h' && kind !== 't') throw new Error('a link of no known part');
  const part = kind === 'h' ? 'html' : 'text';
  if (tab === -1) return { target: line.slice(1), part };
  return { target: line.slice(1, tab), part, name: parseLinkName(line.slice(tab + 1)) };
}

/** @throws Error for what is not the JSON of a string */
export function parseLinkName(json: string): string {
  const name: unknown = JSON.parse(json);
  if (typeof name !== 'string') throw new Error('a name of a link that is no string');
  return name;
}
