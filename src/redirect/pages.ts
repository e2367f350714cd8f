/** A complete answer. */
export interface Page {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Headers of every answer: links are personal, so no cache and no search engine may keep them. */
const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-robots-tag': 'noindex' } as const;

/** Seconds after which a client may try again when the store is away. */
const RETRY_AFTER = 30;

// The pages repeat nothing of the request, load nothing and run nothing, so there is nothing to
// inject into.
const STYLE =
  ':root{color-scheme:light dark}' +
  'body{margin:0;min-height:100vh;display:grid;place-items:center;' +
  'font:1.125rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}' +
  'main{max-width:30rem;padding:1.5rem}h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}p{margin:0}';

function page(
  status: number,
  title: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Page {
  const body =
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${title}</title><style>${STYLE}</style></head>` +
    `<body><main><h1>${title}</h1><p>${text}</p></main></body></html>\n`;
  return {
    status,
    body,
    headers: {
      ...COMMON_HEADERS,
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      ...headers,
    },
  };
}

/** 200 at `/`: says what this host is for. */
export const HOME = page(
  200,
  'Links in e-mail',
  'Links in messages lead to this host first. It records that a link was opened, and sends the reader on to the page that the ' +
    'sender of the message linked to. There is nothing else here.',
);

/**
 * 404: unknown, expired, forged, another host's, or not a link at all. The page does not tell
 * which.
 */
export const NOT_FOUND = page(
  404,
  'This link leads nowhere',
  'It may be incomplete or too old. If it came by mail, please open the whole link from the message again.',
);

/** 410: an operator blocked the link. */
export const BLOCKED = page(
  410,
  'This link has been switched off',
  'It no longer leads anywhere, on purpose: what it pointed to may not have been safe.',
);

/**
 * 503: the link may exist, but the store is unavailable, its record is unreadable, or the lookup
 * failed.
 */
export const UNAVAILABLE = page(
  503,
  'Please try again in a moment',
  'The link cannot be looked up right now.',
  { 'retry-after': String(RETRY_AFTER) },
);

/** 414: longer than any tracked link. */
export const TOO_LONG = page(
  414,
  'This link is too long',
  'It is longer than any link that leads somewhere from here.',
);

/** The methods that are answered, for the header Allow. */
export const ALLOW = 'GET, HEAD, OPTIONS';

/** 405: a link can only be opened. */
export const NOT_ALLOWED = page(405, 'This link can only be opened', 'Nothing can be sent to it.', {
  allow: ALLOW,
});

/** 400: a request without Host, or with several. */
export const BAD_REQUEST: Page = {
  status: 400,
  body: '',
  headers: { ...COMMON_HEADERS, connection: 'close', 'content-length': '0' },
};

/** 204 to OPTIONS, by which load balancers check whether a server is up. */
export const OPTIONS: Page = {
  status: 204,
  body: '',
  headers: { ...COMMON_HEADERS, allow: ALLOW },
};

/** 302 to the target of a link, byte for byte. */
export function redirectTo(target: string): Page {
  return {
    status: 302,
    body: '',
    headers: { location: target, ...COMMON_HEADERS, 'content-length': '0' },
  };
}
