import { detached } from '../link/detached.ts';
import { MAX_TOKEN } from '../link/sealed-token.ts';

const TOKEN = /^[A-Za-z0-9_-]+$/;
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i;

/** What a request line asks for. */
export interface RequestTarget {
  /** The authority of an absolute-form target, which overrides the Host header (RFC 9112 § 3.2.2). */
  readonly host?: string;
  /** Without query and fragment, still percent-encoded; starts with `/` for every request that can mean something. */
  readonly path: string;
}

export function parseRequestTarget(url: string): RequestTarget {
  const authority = url.startsWith('/') ? undefined : ABSOLUTE_FORM.exec(url);
  const path = pathOf(authority ? url.slice(authority[0].length) : url);
  return authority ? { host: authority[1] ?? '', path } : { path };
}

function pathOf(url: string): string {
  if (!url.includes('?') && !url.includes('#')) return url;
  return url.slice(0, url.search(/[?#]/));
}

/**
 * The last component of a path, where the token of a tracked link stands; what goes before it is a sublink.
 * Some mail programs and gateways percent-encode what they copy, some of them twice.
 * @returns undefined where no token can stand there; else one that may be kept for longer than the request
 */
export function tokenOf(path: string): string | undefined {
  let token = path.slice(path.lastIndexOf('/') + 1);
  if (token.length > 3 * MAX_TOKEN) return undefined;
  for (let encodings = 0; encodings < 2 && token.includes('%'); encodings++) {
    try {
      token = decodeURIComponent(token);
    } catch {
      return undefined;
    }
  }
  token = withoutFormat(token.slice(token.lastIndexOf('/') + 1));
  return token.length <= MAX_TOKEN && TOKEN.test(token) ? detached(token) : undefined;
}

const FORMAT = /\p{Cf}/u;

/** Without the marks of the direction of writing that stand behind a link in some texts: mail programs take them along. */
function withoutFormat(text: string): string {
  let end = text.length;
  while (end > 0 && FORMAT.test(text[end - 1] as string)) end--;
  return text.slice(0, end);
}
