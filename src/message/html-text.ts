import { decodeHTML, decodeHTMLAttribute } from 'entities/decode';

/** Decodes the value of an attribute as a browser does. */
export function attributeValue(written: string): string {
  const text = written.replaceAll('\0', '\ufffd');
  return text.includes('&') ? decodeHTMLAttribute(text) : text;
}

/** Decodes `&amp;`, the only entity in a link for which `plainHostInHtml` gives a host. `replaceAll` would take longer. */
export function withoutAmp(link: string): string {
  let at = link.indexOf('&');
  if (at === -1) {
    return link;
  }
  let result = link.slice(0, ++at);
  for (;;) {
    const start = at + 'amp;'.length;
    at = link.indexOf('&', start) + 1;
    if (at === 0) {
      return result + link.slice(start);
    }
    result += link.slice(start, at);
  }
}

/** Escapes a URL for an attribute value in quotes. */
export function escapeQuoted(url: string): string {
  return /[&"'<>]/.test(url) ? url.replace(/[&"'<>]/g, characterReference) : url;
}

/**
 * Escapes a URL for an attribute value without quotes. The last of two hyphens at the end is escaped, too: with the `>` of
 * the tag it would close a conditional comment.
 */
export function escapeUnquoted(url: string): string {
  return url.replace(/[\s&"'<>=`]|(?<=-)-$/g, characterReference);
}

function characterReference(char: string): string {
  return `&#${char.charCodeAt(0)};`;
}

/** Characters of a link's content that are examined. */
const WINDOW = 2000;

/** Whether the visible text of a link is itself a URL or a host name. `tagEnd` is the end of its start tag. */
export function showsUrl(html: string, tagEnd: number): boolean {
  const content = html.slice(tagEnd, tagEnd + WINDOW);
  const end = content.search(/<\/?a[\s/>]/i);
  // An unclosed tag runs on to the end of the text: to search for the `>` of many of them would be quadratic.
  const text = (end === -1 ? content : content.slice(0, end)).replace(/<[^>]*>?/g, '');
  return looksLikeUrl(decodeHTML(text).trim());
}

function looksLikeUrl(text: string): boolean {
  return (
    /^(?:https?:\/\/|www\.)\S+$/i.test(text) ||
    /^[\w-]+(?:\.[\w-]+)*\.[a-z]{2,63}(?:[/?#:]\S*)?$/i.test(text)
  );
}
