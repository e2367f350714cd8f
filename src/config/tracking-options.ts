import { contextVariableNames, MAX_LINK_EXPIRY } from '../scope/context-variables.ts';
import { domainMatcher, recipientMatcher, urlMatcher } from '../scope/pattern-matcher.ts';
import type { Vendor } from '../scope/tracking-options.ts';
import { type Definitions, option } from './option.ts';
import { choiceType, listType, usedAs } from './option-type.ts';
import {
  appendQueryType,
  booleanType,
  contextType,
  domainPatternType,
  hostNameType,
  integerType,
  recipientPatternType,
  selectorType,
  stringType,
  trackingDomainType,
  urlPatternType,
} from './option-types.ts';

const VENDORS = [
  'mailgun',
  'postmark',
  'sendgrid',
  'mandrill',
  'mailjet',
] as const satisfies readonly Vendor[];

/** The options of every tracking scope: ESMTP_Listener, Listen, Peer, pathway and pathway_group. */
export const trackingOptions = {
  click_tracking_enabled: option(
    booleanType,
    false,
    'Whether the links in the top text/plain and text/html parts are tracked.',
  ),
  click_tracking_parts: option(
    choiceType('both', 'html', 'text'),
    'both',
    'The parts whose links are tracked: both, or one of them. The other part then stays unchanged. A link that is opted out in one part is opted out in both.',
    { since: '0.2.0' },
  ),
  click_tracking_scheme: option(choiceType('http', 'https'), 'http', 'Scheme of tracked links.'),
  tracking_domain: option(
    trackingDomainType,
    'localhost:8080',
    'Host of tracked links, optionally with a port: that of the HTTP_Listener, or of the web server in front of it. {sender_domain} in it stands for the domain of the envelope sender: "click.{sender_domain}".',
  ),
  tracking_domains_allowed: option(
    usedAs(listType(hostNameType), (domains) => new Set(domains)),
    [],
    'The domains that a tracking_domain with {sender_domain} may become. Mail that would get another domain is not tracked. Domains listed here count as tracking domains: links to them are left alone, and /tls-ask of Control_Listener answers 200 for them.',
    { example: '( "click.example.com" "click.example.org" )', since: '0.2.0' },
  ),
  tracking_link_expiry: option(
    integerType(1, MAX_LINK_EXPIRY),
    365 * 24 * 3600,
    'Seconds after which clicks on a link are no longer recorded and its record expires.',
  ),
  on_failure: option(
    choiceType('accept', 'tempfail', 'seal'),
    'accept',
    'What happens when the link store is unavailable: accept delivers the message untracked, tempfail makes the sender try again, seal tracks it with sealed links, unless its recipients may have opted out.',
  ),
  rewrite_signed: option(
    booleanType,
    false,
    'Whether mail with a DKIM, ARC or DomainKeys signature is tracked, which breaks the signature.',
  ),
  exclude_domains: option(
    usedAs(listType(domainPatternType), domainMatcher),
    [],
    'Links to these domains and their subdomains are not tracked; *.example.net stands for the subdomains only.',
    { example: '( "example.com" "*.example.net" )' },
  ),
  exclude_urls: option(
    usedAs(listType(urlPatternType), urlMatcher),
    [],
    'Links to these URLs are not tracked; * stands for any characters.',
    { example: '( "*/unsubscribe*" "https://example.org/reset/*" )' },
  ),
  exclude_selectors: option(
    listType(selectorType),
    [],
    'HTML links that match one of these CSS selectors, or are inside an element that does, are not tracked.',
    { example: '( "a.no-tracking" "footer a" )' },
  ),
  track_url_text: option(
    booleanType,
    true,
    'Whether HTML links whose visible text is itself a URL are tracked. Some mail programs warn of phishing where such a link leads elsewhere.',
  ),
  placeholders: option(
    choiceType('leave', 'track'),
    'leave',
    `Whether links with a placeholder are left alone or tracked: {{x}}, %7B%7Bx%7D%7D, *|X|*, %%x%%, [[x]], <%= x %>, \${x}, %recipient.x% or ##x##. A server behind this one may fill the placeholder in. A link with a placeholder in its host is never tracked.`,
    { since: '0.2.0' },
  ),
  unsubscribe_links: option(
    choiceType('leave', 'track'),
    'leave',
    'Whether links with the mark data-msys-unsubscribe are left alone, or tracked: a click on one is then an event of the type link_unsubscribe.',
    { since: '0.2.0' },
  ),
  append_query: option(
    appendQueryType,
    '',
    'Parameters that the redirect endpoint adds to the target of a link, before its fragment; the mail and the event hold the target as written. A parameter that the target has already stays as it is. {campaign_id}, {link_name}, {pathway} and {message_id} stand for values of the click, percent-encoded; a parameter without its value is left out, and so is {message_id} for readers whom respect_gpc protects. Links sent before a change keep the parameters they were sent with. Parameters make sealed links longer.',
    { since: '0.2.0' },
  ),
  exclude_append: option(
    usedAs(listType(domainPatternType), domainMatcher),
    [],
    'Links to these domains and their subdomains get no parameters of append_query: those that a signature protects, for example; *.example.net stands for the subdomains only.',
    { since: '0.2.0', example: '( "files.example.com" )' },
  ),
  recipients: option(
    choiceType('any', 'single'),
    'any',
    'Which messages are tracked: any, or only those with a single recipient. All recipients of a message get the same body, so a click on a message with several recipients names none of them.',
  ),
  exclude_recipients: option(
    usedAs(listType(recipientPatternType), recipientMatcher),
    [],
    'Mail to these addresses and domains is not tracked.',
    { example: '( "boss@example.com" "example.org" )' },
  ),
  accept_x_msys_api: option(
    choiceType('authenticated', 'any', 'none'),
    'authenticated',
    'Whose X-MSYS-API headers are honoured, if there is an smtpapi stanza: those of authenticated senders, of any sender, or of none.',
  ),
  accept_headers: option(
    usedAs(listType(choiceType(...VENDORS)), (vendors) => vendors as readonly Vendor[]),
    [],
    'Other services whose per-message headers are honoured, of the senders that accept_x_msys_api names: X-Mailgun-Track-Clicks, X-PM-TrackLinks, X-SMTPAPI, X-MC-Track, X-Mailjet-TrackClick and more (docs/from-other-services.md). Honoured headers are removed. X-MSYS-API overrides them.',
    { example: '( "mailgun" "postmark" "sendgrid" "mandrill" "mailjet" )', since: '0.2.0' },
  ),
  click_identity: option(
    choiceType('recipient', 'domain', 'none'),
    'recipient',
    'How much the links, events, log and counts may hold of the recipient and the reader: with recipient, all that is known; with domain, the domain of the recipient and the network of the reader; with none, neither (docs/privacy.md). Links already sent keep what they were sent with.',
    { since: '0.2.0' },
  ),
  preview: option(
    booleanType,
    false,
    'Whether a skeleton of each newsletter is kept for the click map of the engagement page: its layout, the places of its links, and the text that copies to different recipients have in common (docs/privacy.md). Mail that names no campaign has none.',
    { since: '0.2.0' },
  ),
  preview_days: option(
    integerType(1, 400),
    90,
    'Days after the last copy for which the skeleton of a newsletter is kept.',
    { since: '0.2.0' },
  ),
  dry_run: option(
    booleanType,
    false,
    'Whether messages stay unchanged, and the log says what would change.',
  ),
  context: option(
    contextType,
    new Map<string, string>(),
    `Context variables for every message of the scope: ${contextVariableNames.join(', ')}. They take precedence over X-MSYS-API. The MTA may send macros of these names, which take precedence over both.`,
    { example: '[ smtpapi_campaign_id = "newsletter" ]' },
  ),
} satisfies Definitions;

/** The option that disables a stanza. */
export const enable = option(booleanType, true, 'Whether the stanza is in effect.');

/** The option by which a scope chooses a pathway. */
export const pathway = option(
  stringType,
  'default',
  'Pathway of mail for which neither a context variable nor the pathway macro names one.',
);
