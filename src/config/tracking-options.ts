import { maxLinkExpiry } from '../scope/context-variables.ts';
import { domainMatcher, recipientMatcher, urlMatcher } from '../scope/pattern-matcher.ts';
import { type Definitions, option } from './option.ts';
import {
  booleanType,
  choiceType,
  contextType,
  domainPatternType,
  integerType,
  listType,
  recipientPatternType,
  selectorType,
  stringType,
  trackingDomainType,
  urlPatternType,
  usedAs,
} from './option-types.ts';

/** Valid in every tracking scope: ESMTP_Listener, Listen, Peer, pathway and pathway_group. */
export const trackingOptions = {
  click_tracking_enabled: option(
    booleanType,
    false,
    'Whether links in the top text/plain and text/html part are tracked.',
  ),
  click_tracking_scheme: option(choiceType('http', 'https'), 'http', 'Scheme of tracked links.'),
  tracking_domain: option(
    trackingDomainType,
    'localhost:8080',
    'Host, with or without a port, that tracked links lead to.',
  ),
  tracking_link_expiry: option(
    integerType(1, maxLinkExpiry),
    365 * 24 * 3600,
    'Seconds after which a followed link is no click any more, and its record is forgotten.',
  ),
  on_failure: option(
    choiceType('accept', 'tempfail', 'seal'),
    'accept',
    'When the link store is away: deliver untracked, have the mail offered again, or track with sealed links.',
  ),
  rewrite_signed: option(
    booleanType,
    false,
    'Whether mail with a DKIM, ARC or DomainKeys signature is tracked, which breaks the signature.',
  ),
  exclude_domains: option(
    usedAs(listType(domainPatternType), domainMatcher),
    [],
    'Domains, with all below them, that links are not tracked to.',
  ),
  exclude_urls: option(
    usedAs(listType(urlPatternType), urlMatcher),
    [],
    'URLs that are not tracked; * stands for any characters.',
  ),
  exclude_selectors: option(
    listType(selectorType),
    [],
    'CSS selectors of HTML links, or of what holds them, that are not tracked.',
  ),
  track_url_text: option(
    booleanType,
    true,
    'Whether HTML links are tracked whose visible text is itself a URL.',
  ),
  placeholders: option(
    choiceType('leave', 'track'),
    'leave',
    'What becomes of links with a placeholder such as {{x}}, which somebody is still to fill in: left alone, or tracked unless it is in the host.',
  ),
  recipients: option(
    choiceType('any', 'single'),
    'any',
    'Whether messages with several recipients are tracked; their clicks name none of them.',
  ),
  exclude_recipients: option(
    usedAs(listType(recipientPatternType), recipientMatcher),
    [],
    'Addresses and domains whose mail is never tracked.',
  ),
  accept_x_msys_api: option(
    choiceType('authenticated', 'any', 'none'),
    'authenticated',
    'Whose X-MSYS-API header is believed: that of senders with a login, of anyone, of nobody.',
  ),
  dry_run: option(
    booleanType,
    false,
    'Work everything out and log what would change, but change nothing.',
  ),
  context: option(
    contextType,
    new Map<string, string>(),
    'Context variables, such as smtpapi_campaign_id, for every message of the scope.',
  ),
} satisfies Definitions;

/** Of stanzas that can be switched off. */
export const enable = option(
  booleanType,
  true,
  'Switched off, the stanza is as if it were not there.',
);

/** Of the scopes that choose a pathway. */
export const pathway = option(
  stringType,
  'default',
  'The pathway of mail that neither a context variable nor the pathway macro gives one.',
);
