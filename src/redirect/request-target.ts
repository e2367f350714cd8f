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
  const start = authority ? authority[0].length : 0;
  const end = url.slice(start).search(/[?#]/);
  const path = end < 0 ? url.slice(start) : url.slice(start, start + end);
  return authority ? { host: authority[1] ?? '', path } : { path };
}

/**
 * The last component of a path, where the token of a tracked link stands; what goes before it is a sublink.
 * Some mail programs and gateways percent-encode what they copy, some of them twice.
 * @returns undefined where no token can stand there
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
  token = token.slice(token.lastIndexOf('/') + 1);
  return token.length <= MAX_TOKEN && TOKEN.test(token) ? token : undefined;
}
