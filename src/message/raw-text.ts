const SCRIPT = 'script';
const PLAINTEXT = 'plaintext';

/** Elements whose content is text to the tokenizer: no tag begins in it, but for their own end tag. */
export const RAW_TEXT: ReadonlySet<string> = new Set([
  'title',
  'textarea',
  'style',
  'xmp',
  'iframe',
  'noembed',
  'noframes',
  SCRIPT,
  PLAINTEXT,
]);

/** The offset of the end tag that ends an element whose content is text. */
export function endOfRawText(html: string, name: string, from: number): number {
  if (name === PLAINTEXT) {
    return -1;
  }
  if (name === SCRIPT) {
    return endOfScript(html, from);
  }
  let at = html.indexOf('</', from);
  while (at !== -1) {
    const nameEnd = at + 2 + name.length;
    if (endsName(html, nameEnd) && html.slice(at + 2, nameEnd).toLowerCase() === name) {
      return at;
    }
    at = html.indexOf('</', at + 2);
  }
  return -1;
}

function endsName(html: string, at: number): boolean {
  return /[\t\n\f\r />]/.test(html[at] ?? '');
}

/** Within `<!-- … -->` a script may hold `<script … </script` (the script data double escaped state). */
function endOfScript(html: string, from: number): number {
  const mark = /<!--|-->|<\/?script(?=[\t\n\f\r />])/gi;
  mark.lastIndex = from;
  let escaped = false;
  let nested = false;
  for (let match = mark.exec(html); match !== null; match = mark.exec(html)) {
    const [found] = match;
    if (found === '<!--') {
      escaped = true;
      mark.lastIndex = match.index + 2; // its hyphens may be those of `-->`
    } else if (found === '-->') {
      escaped = false;
      nested = false;
    } else if (found[1] !== '/') {
      nested = escaped;
    } else if (nested) {
      nested = false;
    } else {
      return match.index;
    }
  }
  return -1;
}
