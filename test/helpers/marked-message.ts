/** A link of a marked text: how it is written there, and where it leads. */
export interface MarkedLink {
  readonly written: string;
  readonly target: string;
}

/** A link to be tracked. `target` is what a browser makes of `written`, where that is not the same. */
export function link(written: string, target = written): MarkedLink {
  return { written, target };
}

/** A text that knows its links, to compare what came of it byte for byte. */
export interface MarkedText {
  readonly text: string;
  readonly targets: readonly string[];
  /**
   * The URLs that stand where the links were, soft line breaks of quoted-printable undone.
   * @throws Error where anything but the links has changed
   */
  urlsIn(rewritten: string): string[];
}

/** Tag of a template: `` marked`<a href="${link('https://a.test/')}">` ``. Line ends become CRLF. */
export function marked(
  strings: TemplateStringsArray,
  ...values: readonly (MarkedLink | MarkedText | string)[]
): MarkedText {
  const pieces: (string | MarkedLink)[] = [];
  strings.forEach((raw, n) => {
    pieces.push(raw.replace(/\r?\n/g, '\r\n'));
    const value = values[n];
    if (typeof value === 'string') pieces.push(value.replace(/\r?\n/g, '\r\n'));
    else if (value !== undefined && 'text' in value) pieces.push(...piecesOf(value));
    else if (value !== undefined) pieces.push(value);
  });
  return toMarked(pieces);
}

const inside = new WeakMap<MarkedText, readonly (string | MarkedLink)[]>();
const piecesOf = (text: MarkedText) => inside.get(text) ?? [text.text];

function toMarked(parts: readonly (string | MarkedLink)[]): MarkedText {
  const pieces: (string | MarkedLink)[] = [];
  for (const part of parts) {
    const last = pieces.at(-1);
    if (typeof part === 'string' && typeof last === 'string') {
      pieces[pieces.length - 1] = last + part;
    } else pieces.push(part);
  }
  const links = pieces.filter((piece) => typeof piece !== 'string');
  const made: MarkedText = {
    text: pieces.map((piece) => (typeof piece === 'string' ? piece : piece.written)).join(''),
    targets: links.map(({ target }) => target),
    urlsIn: (rewritten) => {
      const urls: string[] = [];
      let at = 0;
      let open = false;
      for (const piece of pieces) {
        if (typeof piece !== 'string') {
          open = true;
          continue;
        }
        // Between two links there is always a text; it begins where it is next found.
        const start = open ? rewritten.indexOf(piece, at) : at;
        if (start < 0 || !rewritten.startsWith(piece, start)) {
          const got = rewritten.slice(at, at + 300);
          throw new Error(`expected, untouched:\n${piece.slice(0, 300)}\nbut there is:\n${got}`);
        }
        if (open) urls.push(rewritten.slice(at, start).replace(/=\r\n/g, ''));
        at = start + piece.length;
        open = false;
      }
      if (open) urls.push(rewritten.slice(at));
      else if (at !== rewritten.length) {
        throw new Error(`expected nothing more, but there is:\n${rewritten.slice(at, at + 300)}`);
      }
      return urls;
    },
  };
  inside.set(made, pieces);
  return made;
}
