import { decodeHTML } from 'entities/decode';

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
