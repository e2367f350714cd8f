/** A link that a program shows in a plain text. */
export interface Shown {
  /** Where the URL stands, without what delimits it. */
  readonly start: number;
  readonly end: number;
  /** What a click on it opens. */
  readonly url: string;
}

/**
 * What a program showed before and shows no more, neither as it was nor as a tracked link that leads there.
 *
 * @param text the text before
 * @param targets where the tracked links lead; the others are not in it
 */
export function lostLinks(
  text: string,
  before: readonly Shown[],
  after: readonly Shown[],
  targets: ReadonlyMap<string, string>,
): string[] {
  let next = 0;
  return before.flatMap(({ url: was }) => {
    for (let at = next; at < after.length; at++) {
      const { url } = after[at] as Shown;
      const target = targets.get(url);
      if (url === was || (target !== undefined && isSamePlace(was, target))) {
        next = at + 1;
        return [];
      }
      // A link may be shown where the program did not see that there was one.
      if (target === undefined && !text.includes(url.replace(/^[a-z]+:(?:\/\/)?/i, ''))) {
        break;
      }
    }
    const there = after.slice(next).map(({ url }) => `${url} (${targets.get(url) ?? 'as it was'})`);
    return [`${was} is gone; there are ${there.join(', ')}`];
  });
}

/**
 * Whether a target is where a program's URL led, or should have led: the program took along what closes a sentence, a
 * quotation or a bracket behind it; or, as Android's does, left out what is no letter at its end.
 */
function isSamePlace(url: string, target: string): boolean {
  for (let end = url.length; end > 0; end--) {
    if (sameUrl(url.slice(0, end), target)) {
      return TAKEN_ALONG.test(url.slice(end));
    }
  }
  const readable = target.replace(/(?:%[89A-F][\dA-F])+/g, decodeURIComponent);
  const leftOut = /[^\p{L}\p{M}\p{N}_]+$/u.exec(readable)?.[0].length ?? 0;
  return [...Array(leftOut).keys()].some((at) => sameUrl(url, readable.slice(0, at - leftOut)));
}

const TAKEN_ALONG =
  /^[\p{P}\p{S}\p{Cf}]*(?:$|["<>\]}\p{Z}、。！，：；？｜｡､”“’‘«»‹›]|(?![\0-\x7f])[\p{Ps}\p{Pe}])/u;

function sameUrl(a: string, b: string): boolean {
  return a === b || (parsed(a) ?? a) === parsed(b);
}

/** As a browser spells it. Node 20's `URL.canParse` is wrong about letters of latin1 once it is compiled. */
export function parsed(url: string): string | undefined {
  try {
    return new URL(url).href;
  } catch {
    return undefined;
  }
}
