import { bestLanguage } from './languages.ts';
import { type OwnPages, readOwnPages } from './own-pages.ts';
import { PAGES, type PageName, TEXTS } from './page-texts.ts';

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

/** The methods that are answered, for the header Allow. */
export const ALLOW = 'GET, HEAD, OPTIONS';

/** Headers that some pages have beside those of all. */
const OWN_HEADERS: Readonly<Partial<Record<PageName, Readonly<Record<string, string>>>>> = {
  notAllowed: { allow: ALLOW },
  unavailable: { 'retry-after': String(RETRY_AFTER) },
};

/** The pages that say whom to ask. */
const WITH_CONTACT: ReadonlySet<PageName> = new Set(['home', 'notFound', 'blocked']);

// The pages repeat nothing of the request, load nothing and run nothing, so there is nothing to
// inject into.
const STYLE =
  ':root{color-scheme:light dark}' +
  'body{margin:0;min-height:100vh;display:grid;place-items:center;' +
  'font:1.125rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}' +
  'main{max-width:30rem;padding:1.5rem}h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}' +
  'p{margin:0 0 .5rem;overflow-wrap:anywhere}a{color:LinkText}';

export interface PagesOptions {
  /** The folder of the operator's own pages. */
  readonly pages?: string;
  /** Whom readers may ask: an address or a URL. */
  readonly contact?: string;
}

/**
 * The pages for readers, in the languages that there are: the operator's own where there is one,
 * else the shipped one.
 */
export class Pages {
  readonly #own: OwnPages;
  readonly #shipped: OwnPages;

  /** @throws Error that says what is wrong with the folder */
  constructor({ pages, contact }: PagesOptions) {
    this.#own = pages === undefined ? new Map() : readOwnPages(pages);
    this.#shipped = new Map(
      (Object.keys(PAGES) as PageName[]).map((name) => [name, shippedPages(name, contact)]),
    );
  }

  /** @param acceptLanguage the header of the request */
  find(name: PageName, acceptLanguage: string | undefined): Page {
    const own = this.#own.get(name);
    const language = own && (bestLanguage(acceptLanguage, own.keys()) ?? '');
    const page = language === undefined ? undefined : own?.get(language);
    if (page !== undefined) return answer(name, page, language);
    const shipped = this.#shipped.get(name);
    const best = bestLanguage(acceptLanguage, shipped?.keys() ?? []) ?? 'en';
    return answer(name, shipped?.get(best) ?? Buffer.alloc(0), best);
  }
}

/** @param language empty where it is not known */
function answer(name: PageName, body: Buffer, language = ''): Page {
  return {
    status: PAGES[name],
    body,
    headers: {
      ...COMMON_HEADERS,
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(body.length),
      ...(language !== '' && { 'content-language': language }),
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      ...OWN_HEADERS[name],
    },
  };
}

function shippedPages(name: PageName, contact: string | undefined): ReadonlyMap<string, Buffer> {
  return new Map(
    Object.entries(TEXTS).map(([language, texts]) => {
      const [title, text] = texts[name];
      const whom = contact !== undefined && WITH_CONTACT.has(name) ? contact : undefined;
      const html =
        `<!doctype html>\n<html lang="${language}"><head><meta charset="utf-8">` +
        '<meta name="viewport" content="width=device-width, initial-scale=1">' +
        `<title>${title}</title><style>${STYLE}</style></head>` +
        `<body><main><h1>${title}</h1><p>${text}</p>` +
        (whom === undefined ? '' : `<p>${texts.contact} ${linkTo(whom)}</p>`) +
        '</main></body></html>\n';
      return [language, Buffer.from(html)];
    }),
  );
}

/** @param contact an address or a URL */
function linkTo(contact: string): string {
  const url = /^https?:/i.test(contact)
    ? contact
    : `mailto:${contact.split('@').map(encodeURIComponent).join('@')}`;
  return `<a href="${escaped(url)}">${escaped(contact)}</a>`;
}

/** Escapes a text for HTML, also in attributes. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

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
