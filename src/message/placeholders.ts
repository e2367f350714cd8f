/**
 * What template engines and mailing systems leave for somebody else to fill in. A tracked link would lead to it as it
 * stands, where the original is filled in on its way. Names are short and patterns bounded, so that no link takes long.
 */

const NAME = "[a-z_][\\w .:=|'@-]{0,80}";
const WORD = '[a-z_][\\w.:-]{0,60}';
/** `{3F2504E0-…}` names something on many web sites, and fills nothing in. */
const UUID = '[\\da-f]{8}-(?:[\\da-f]{4}-){3}[\\da-f]{12}';

/** Whatever the escapes, with the systems that it is known from. None of it is in ordinary URLs. */
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
  // [X]: phpList, Sendy. Behind a word it is PHP's: filter[name]=x; of digits and colons, an address.
  `(?<![\\w\\])])\\[(?![\\da-f:.]*\\])[a-z_][\\w .:=|-]{0,60}\\]`,
  '<[%?]', // <%= x %>: ERB, EJS, ASP
  `<<${NAME}>>`, // <<x>>
  `##${WORD}##`, // ##x## ###x###: TYPO3
  '#[a-z_]\\w{0,30}:[a-z_]\\w{0,30}#', // #recipient:x#: Moosend
  '~[a-z_]\\w{0,40}\\.[\\w.]{1,40}~', // ~Contact.x~: Keap
];

/** Only as they are: escaped, these would be ordinary. */
const UNESCAPED = [
  // %recipient.x% %x%: Mailgun, ActiveCampaign. One of its signs is no escape, as %E4 is.
  `%(?![\\da-f]{2})${WORD}%|%${WORD}%(?![\\da-f]{2})`,
  '%\\([a-z_][\\w.]{0,60}\\)[a-z]', // %(x)s: Python
  `<${WORD}>`,
];

const PLACEHOLDER = new RegExp(ANYWHERE.join('|'), 'i');
const UNESCAPED_PLACEHOLDER = new RegExp(UNESCAPED.join('|'), 'i');

/** What every placeholder has something of. */
const SUSPICIOUS = /[{[<|]|%(?![\da-f]{2})|%(?:2[35a]|3c|5b|7[bc])|##|#\w+:|~\w+\./i;
const ESCAPED_SIGN = /%(?:2[0-9a-f]|3[a-f]|40|5[b-f]|60|7[b-e])/gi;

/** Whether somebody still has to fill something in. */
export function holdsPlaceholder(link: string): boolean {
  if (!SUSPICIOUS.test(link)) {
    return false; // as nearly every link
  }
  const signs = link.replace(ESCAPED_SIGN, (sign) =>
    String.fromCharCode(Number.parseInt(sign.slice(1), 16)),
  );
  return PLACEHOLDER.test(link) || PLACEHOLDER.test(signs) || UNESCAPED_PLACEHOLDER.test(link);
}

/** A link that begins with a placeholder is not relative to anything. */
export function isPlaceholder(link: string): boolean {
  return STARTS.test(link) && holdsPlaceholder(link);
}

const STARTS = /^[{[<*%#$~]/;

/**
 * Whether no name server knows such a host, and a template engine was to fill it in: `-sub-`, `:host`, `__host__` or
 * `newsletter_unsubscribe_url`.
 *
 * @param authority with a user and a port, if any
 */
export function isPlaceholderHost(authority: string): boolean {
  return OPENS.test(authority) || NO_HOST.test(authority) || holdsPlaceholder(authority);
}

const OPENS = /\{\{|\*\||%%|\[\[/;
const NO_HOST = /^(?:-[\w-]*|[\w-]*-|:[a-z_].*|\w*_\w*)$/i;

/** Whether text goes on in a placeholder: there a URL seems to end. */
export function placeholderBegins(text: string, at: number): boolean {
  BEGINS.lastIndex = at;
  return BEGINS.test(text);
}

const BEGINS = /[.:_-]{0,9}(?:\{\{|\{%|[$#]\{|\*\||%%|\[\[|\[%|<[%<]|##)/y;
