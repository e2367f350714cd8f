/**
 * Placeholders that a later system fills in, such as a smarthost. A tracked link would lead to the
 * placeholder itself. All patterns are bounded, so that no link takes long.
 */

const NAME = "[a-z_][\\w .:=|'@-]{0,80}";
const WORD = '[a-z_][\\w.:-]{0,60}';
/** `{3F2504E0-…}` is an identifier of many web sites, not a placeholder. */
const UUID = '[\\da-f]{8}-(?:[\\da-f]{4}-){3}[\\da-f]{12}';

/**
 * Placeholders with and without percent-encoding, and the systems that use them. Ordinary URLs have
 * none of these.
 */
const ANYWHERE = [
  '\\{\\{', // {{x}} {{{x}}}: Handlebars, Liquid, Jinja, Twig
  '\\{%[^{}]{1,200}%\\}', // {% x %}: Liquid, Jinja, Twig
  `\\{(?!${UUID}\\})[!$@#*~]?${NAME}\\}`, // {x} {$x} {!x} ${x} #{x}: CiviCRM, Mautic, Smarty, Salesforce, JSP
  '\\{\\d{1,2}\\}', // {0}: formats
  '[$#]\\{[a-z_][^{}"]{0,100}\\}', // ${x['y']}
  '\\*\\|[a-z_]', // *|X|*: Mailchimp, Mandrill
  '%%[=[]? ?[a-z_][^%]{0,100}%%', // %%x%% %%=x=%%: Salesforce Marketing Cloud, Bronto
  '\\[\\[[#/^$]?[a-z_]', // [[x]] [[var:x]]: Mailjet
  '\\[%[-+=]? ?[a-z_][^%\\]]{0,100}%\\]', // [% x %]: Template Toolkit
  // [X]: phpList, Sendy. Not behind a word, which is PHP's filter[name]=x, and not an address of
  // digits and colons.
  `(?<![\\w\\])])\\[(?![\\da-f:.]*\\])[a-z_][\\w .:=|-]{0,60}\\]`,
  '\\[[a-z_][\\w :-]{0,60}, ?fallback=', // [x,fallback=y]: Campaign Monitor
  '\\[agn[a-z]', // [agnDB column='x']: OpenEMM
  '<[%?]', // <%= x %>: ERB, EJS, ASP
  `<<${NAME}>>`, // <<x>>
  '##[a-z_][^#]{0,100}##', // ##x## ###x### ##DATE:type='2'##: TYPO3, OpenEMM
  '#[a-z_]\\w{0,30}:[a-z_]\\w{0,30}#', // #recipient:x#: Moosend
  '~[a-z_]\\w{0,40}\\.[\\w.]{1,40}~', // ~Contact.x~: Keap
];

/** Placeholders without percent-encoding. Encoded, these characters are ordinary. */
const UNESCAPED = [
  // %recipient.x% %x%: Mailgun, ActiveCampaign. At least one of the percent signs does not begin an
  // escape such as %E4.
  `%(?![\\da-f]{2})${WORD}%|%${WORD}%(?![\\da-f]{2})`,
  '%\\([a-z_][\\w.]{0,60}\\)[a-z]', // %(x)s: Python
  `<${WORD}>`,
  '#[a-z_][\\w-]{0,40}#', // #x#: Flexmail
  // $X$ @X@: Dotdigital. Not @user@host of the fediverse, and not part of a word.
  '(?<!\\w)([$@])[a-z_]\\w{1,60}\\1(?!\\w)',
  '=-[a-z_]\\w{0,60}-(?=[&#]|$)', // ?a=-x-: SendGrid
];

const PLACEHOLDER = new RegExp(ANYWHERE.join('|'), 'i');
const UNESCAPED_PLACEHOLDER = new RegExp(UNESCAPED.join('|'), 'i');

/** A character or sequence that every placeholder has. */
const SUSPICIOUS =
  /[{[<|]|%(?![\da-f]{2})|%(?:2[35a]|3c|5b|7[bc])|##|#[\w-]+[:#]|~\w+\.|[$@]\w+[$@]|=-\w/i;
const ESCAPED_SIGN = /%(?:2[0-9a-f]|3[a-f]|40|5[b-f]|60|7[b-e])/gi;

/** Whether a link has an unresolved placeholder. */
export function holdsPlaceholder(link: string): boolean {
  if (!SUSPICIOUS.test(link)) {
    return false; // as for nearly every link
  }
  const signs = link.replace(ESCAPED_SIGN, (sign) =>
    String.fromCharCode(Number.parseInt(sign.slice(1), 16)),
  );
  return PLACEHOLDER.test(link) || PLACEHOLDER.test(signs) || UNESCAPED_PLACEHOLDER.test(link);
}

/** Whether a link begins with a placeholder, so that it is not a relative link. */
export function isPlaceholder(link: string): boolean {
  return STARTS.test(link) && holdsPlaceholder(link);
}

const STARTS = /^[{[<*%#$~]/;

/**
 * Whether a host is a placeholder. Names such as `-sub-`, `:host`, `__host__` and
 * `newsletter_unsubscribe_url` are not valid in DNS.
 *
 * @param authority the host, with user and port if there are any
 */
export function isPlaceholderHost(authority: string): boolean {
  return OPENS.test(authority) || NO_HOST.test(authority) || holdsPlaceholder(authority);
}

const OPENS = /\{\{|\*\||%%|\[\[/;
/** The lookahead keeps the time linear: a user before the host may be long. */
const NO_HOST = /^(?:-[\w-]*|[\w-]*-|:[a-z_].*|(?=\w*_)\w+)$/i;

/** Whether a placeholder begins at an offset, where a URL seems to end. */
export function placeholderBegins(text: string, at: number): boolean {
  BEGINS.lastIndex = at;
  return BEGINS.test(text);
}

const BEGINS =
  /[.:_-]{0,9}(?:\{\{|\{%|[$#]\{|\*\||%%|\[\[|\[%|<[%<?]|##|(?<==)<[A-Za-z_][\w.:-]{0,60}>)/y;
