import { decodeHTML, decodeHTMLAttribute } from 'entities/decode';

/** Decodes the value of an attribute as a browser does. */
export function attributeValue(written: string): string {
  const text = written.replaceAll('\0', '\ufffd');
  return text.includes('&') ? decodeHTMLAttribute(text) : text;
}

/** Decodes a value with `&amp;` as the only entity. For a text so short, `replaceAll` costs more. */
export function withoutAmp(text: string): string {
  let at = text.indexOf('&');
  if (at === -1) {
    return text;
  }
  let result = text.slice(0, ++at);
  for (;;) {
    const start = at + 'amp;'.length;
    at = text.indexOf('&', start) + 1;
    if (at === 0) {
      return result + text.slice(start);
    }
    result += text.slice(start, at);
  }
}

export function escapeQuoted(url: string): string {
  return /[&"'<>]/.test(url) ? url.replace(/[&"'<>]/g, characterReference) : url;
}

/** The second `-` at an end, too: with the `>` of the tag it would close the conditional comment around it. */
export function escapeUnquoted(url: string): string {
  return url.replace(/[\s&"'<>=`]|(?<=-)-$/g, characterReference);
}

function characterReference(char: string): string {
  return `&#${char.charCodeAt(0)};`;
}

/** How much of a link's content is looked at. */
const WINDOW = 2000;

/** Whether the text a reader sees of the link whose start tag ends here is itself a URL or a bare host name. */
export function showsUrl(html: string, tagEnd: number): boolean {
  const content = html.slice(tagEnd, tagEnd + WINDOW);
  const end = content.search(/<\/?a[\s/>]/i);
  // A tag without end goes on to the end: to look for its `>` from each of many would be quadratic.
  const text = (end === -1 ? content : content.slice(0, end)).replace(/<[^>]*>?/g, '');
  return looksLikeUrl(decodeHTML(text).trim());
}

function looksLikeUrl(text: string): boolean {
  return (
    /^(?:https?:\/\/|www\.)\S+$/i.test(text) ||
    /^[\w-]+(?:\.[\w-]+)*\.[a-z]{2,63}(?:[/?#:]\S*)?$/i.test(text)
  );
}
