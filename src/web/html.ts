/** A piece of HTML, in which everything foreign is escaped. */
export class Html {
  readonly #text: string;

  /** @param text is taken as it is: `html` is the way to make one of foreign text */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** A value in `html`; false and undefined are nothing, and lists are joined. */
export type Content = Html | string | number | false | undefined | readonly Content[];

/** Makes HTML of a template whose values are escaped, be they text or attribute. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(parts.reduce((text, part, index) => text + written(values[index - 1]) + part));
}

function written(value: Content): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(written).join('');
  return String(value).replace(UNSAFE, (char) => ESCAPED[char] ?? '\ufffd');
}

/** What is markup, and control characters, of which some are not allowed and none is seen. */
const UNSAFE = /[&<>"'\p{Cc}\p{Cs}]/gu;

const ESCAPED: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const MAX_NAME = 120;

/** Characters that turn the direction of the text behind them, and so show another name. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A name that a stranger may have chosen, as text: where it turns its direction is seen. */
export function withoutTurns(name: string): string {
  return name.replace(TURNS, '\ufffd');
}

/**
 * A name that a stranger may have chosen: its direction changes nothing around it, and one that is
 * too long for a page is cut.
 * @param none what is shown for an empty name
 */
export function shownName(text: string, none = '(none)'): Html {
  if (text === '') return html`<i>${none}</i>`;
  const name = withoutTurns(text);
  const chars = [...name.slice(0, 2 * MAX_NAME + 2)];
  if (chars.length <= MAX_NAME) return html`<bdi>${name}</bdi>`;
  return html`<bdi title="${name.slice(0, 1000)}">${chars.slice(0, MAX_NAME).join('')}…</bdi>`;
}
