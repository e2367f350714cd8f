import { hostName } from '../lib/host-name.ts';
import { type Detail, shownTarget } from '../lib/logger.ts';
import { describeLink, describeMessage } from '../link/describe-link.ts';
import { type ClickIdentity, limitIdentity } from '../link/identity.ts';
import { findLink, parseLinkArgument } from '../link/link-argument.ts';
import type { LinkResolver, ResolvedLink } from '../link/link-store.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import { isStoredToken } from '../link/stored-token.ts';
import type { Ruling, Store } from '../store/store.ts';
import { NotFound } from './errors.ts';
import type { LinkFound, MessageFound, PathwayOption } from './message-found.ts';
import { NOT_SHOWN, shownName } from './shown-reports.ts';

/** Where the view finds what it shows. */
export interface MessageSources {
  /** Finds links of both kinds. */
  readonly resolver: LinkResolver;
  readonly store: Pick<Store, 'findMessage' | 'blocks' | 'counters'>;
  readonly trackingHosts: () => ReadonlySet<string>;
  readonly detail: () => Detail;
  readonly explainPathway: (pathway: string | undefined) => PathwayOption[];
}

/** Links in one answer. */
export const MOST_LINKS = 100;

/**
 * Looks up what a token, a tracked URL, a message id or a target stands for.
 * @param from the position of the first link to show; default: so that the named one is shown
 * @throws NotFound, StoreUnavailable
 */
export async function lookUp(
  sources: MessageSources,
  find: string,
  from?: string,
): Promise<MessageFound> {
  const first = from === undefined ? undefined : Number(from);
  const argument = parseLinkArgument(find);
  if (argument === undefined) throw new NotFound(whyUnknown(find));
  if (argument.kind === 'url') return lookUpTarget(sources, find, argument.url);
  if (argument.kind === 'message') return lookUpMessage(sources, find, argument.messageId, first);
  const { token, host } = argument;
  const resolved = await findLink(sources.resolver, argument);
  if (resolved !== undefined) {
    const { position, message } = resolved;
    return isStoredToken(token)
      ? lookUpMessage(sources, find, message.messageId, first, position)
      : lookUpSealed(sources, find, token, resolved);
  }
  if (host !== undefined) return lookUpTarget(sources, find, find);
  throw new NotFound(
    'No such link: it is unknown, expired or damaged, or its tracking domain is not configured here.',
  );
}

function whyUnknown(find: string): string {
  return find.includes('@')
    ? 'A mail cannot be found by its Message-ID or by an address: nothing is stored by them. ' +
        'Expected a tracked URL, a token, or the message id that clickmilter logs.'
    : 'Expected a tracked URL, a token, a message id of 16 characters, or a target URL.';
}

/** @param named the position of the link that was asked for */
async function lookUpMessage(
  sources: MessageSources,
  find: string,
  messageId: string,
  from?: number,
  named?: number,
): Promise<MessageFound> {
  const { store } = sources;
  const found = await store.findMessage(messageId);
  if (found === undefined) return lookUpUnstored(sources, find, messageId);
  const { message, links } = found;
  const isFor = (host: string) => hostName(host) === hostName(message.domain);
  const start = from ?? (named === undefined ? 0 : named - (named % MOST_LINKS));
  const some = links.slice(start, start + MOST_LINKS);
  const clicks = await clicksOf(
    sources,
    message,
    some.map(({ link }) => link),
  );
  const described = await Promise.all(
    some.map(async ({ link, tokens }, at): Promise<LinkFound> => {
      const position = start + at;
      const resolved: ResolvedLink = { link, message, position, isFor };
      const rulings = await Promise.all(tokens.map((token) => store.blocks.find(token, resolved)));
      const ruling = rulings.find((one) => one !== undefined && one.to === undefined);
      return {
        position,
        is_named: position === named,
        ...linkFound(sources, resolved, ruling ?? rulings.find((one) => one !== undefined)),
        clicks: clicks[at] ?? 0,
      };
    }),
  );
  return {
    find,
    kind: 'stored',
    ...messageFound(sources, message),
    links: described,
    link_count: links.length,
    from: start,
    ...(await rulingOn(sources, { messageId })),
  };
}

async function lookUpSealed(
  sources: MessageSources,
  find: string,
  token: string,
  resolved: ResolvedLink,
): Promise<MessageFound> {
  const { message, link, position } = resolved;
  const ruling = await sources.store.blocks.find(token, resolved);
  const [clicks = 0] = await clicksOf(sources, message, [link]);
  const found = linkFound(sources, resolved, ruling);
  const isPathwayKnown = message.pathway !== undefined;
  return {
    find,
    kind: 'sealed',
    ...messageFound(sources, message),
    ...(!isPathwayKnown && { options: [] }),
    links: [{ ...(position !== undefined && { position }), is_named: true, ...found, clicks }],
    from: 0,
    ...(await rulingOn(sources, { messageId: message.messageId })),
    note:
      'A sealed link holds one link, and facts as far as there is room: the other links of the message are not known.' +
      (isPathwayKnown
        ? ''
        : ' It holds no pathway, so the options in effect are not known either.'),
  };
}

async function lookUpUnstored(
  sources: MessageSources,
  find: string,
  messageId: string,
): Promise<MessageFound> {
  return {
    find,
    kind: 'message',
    message_id: messageId,
    facts: {},
    hidden: [],
    links: [],
    from: 0,
    options: [],
    ...(await rulingOn(sources, { messageId })),
    note:
      'No record of this message is stored: it is unknown or expired, or its links are sealed. ' +
      'Sealed links are looked up one by one, by their URL; rulings about the message hold for them.',
  };
}

async function lookUpTarget(
  sources: MessageSources,
  find: string,
  target: string,
): Promise<MessageFound> {
  return {
    find,
    kind: 'target',
    facts: {},
    hidden: [],
    links: [],
    from: 0,
    options: [],
    ...(await rulingOn(sources, { target })),
    note: 'This is not a tracked link of ours: it is taken as a target that links lead to.',
  };
}

/** How much of a person `log { detail }` allows. */
const IDENTITIES = { none: 'none', domain: 'domain', full: 'recipient' } as const;
const BY_STRICTNESS: readonly ClickIdentity[] = ['recipient', 'domain', 'none'];

function messageFound({ detail, explainPathway }: MessageSources, message: MessageFacts) {
  const ofMessage = BY_STRICTNESS.indexOf(message.identity ?? 'recipient');
  const ofPage = BY_STRICTNESS.indexOf(IDENTITIES[detail()]);
  const known = describeMessage(message);
  const allowed = BY_STRICTNESS[Math.max(ofMessage, ofPage)] ?? 'none';
  const shown = {
    ...describeMessage(limitIdentity(message, allowed)),
    click_identity: message.identity,
  };
  const changed = Object.entries(known).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(Reflect.get(shown, name)),
  );
  return {
    message_id: message.messageId,
    facts: Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)),
    hidden: changed.map(([name]) => name),
    options: explainPathway(message.pathway).map((option) => shownOption(detail(), option)),
  };
}

/** The option that names recipients. */
const EXCLUDED = 'exclude_recipients';

function shownOption(detail: Detail, option: PathwayOption): PathwayOption {
  if (option.option !== EXCLUDED || detail === 'full') return option;
  const isHidden = (detail === 'none' ? /\w/ : /@/).test(option.value);
  return isHidden ? { ...option, value: NOT_SHOWN } : option;
}

function linkFound(
  { detail, trackingHosts }: MessageSources,
  resolved: ResolvedLink,
  ruling: Ruling | undefined,
): Omit<LinkFound, 'clicks' | 'position' | 'is_named'> {
  const { target, blocked, leads_to, name, ...described } = describeLink(
    resolved,
    ruling,
    trackingHosts(),
  );
  const shown = shownTarget(detail(), target);
  const shownFacts = { name: shownName(name, detail()), ...described };
  const known = Object.entries(shownFacts).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(known) as { part: string }),
    ...(shown.target !== undefined && { target: shown.target }),
    ...(shown.host !== undefined && { target_host: shown.host }),
    ...(leads_to !== undefined && leadsTo(detail(), leads_to)),
    ...(blocked !== false && { blocked }),
  };
}

function leadsTo(detail: Detail, url: string) {
  const { target, host } = shownTarget(detail, url);
  return {
    ...(target !== undefined && { leads_to: target }),
    ...(host !== undefined && { leads_to_host: host }),
  };
}

/** The ruling about a whole message or a target, whose links need not be known. */
async function rulingOn(
  sources: MessageSources,
  { messageId = '', target = '' }: { readonly messageId?: string; readonly target?: string },
) {
  const message = { messageId, injectionTime: 0, expires: 0, domain: '', recipients: [] };
  const link = { target, part: 'html' } as const;
  const resolved: ResolvedLink = { link, message, isFor: () => false };
  const ruling = await sources.store.blocks.find('', resolved);
  if (ruling === undefined) return {};
  const { part, target: _, target_host, ...found } = linkFound(sources, resolved, ruling);
  return found;
}

function clicksOf(
  { store }: MessageSources,
  message: MessageFacts,
  links: readonly ResolvedLink['link'][],
): Promise<readonly number[]> {
  return store.counters.clicksOf(
    message,
    links.map(({ name, target }) => name ?? target),
  );
}
