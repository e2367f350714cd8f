import { addressOf, countedSince } from './filters.ts';
import { type Content, type Html, html, shownName } from './html.ts';
import { type Frame, page } from './layout.ts';
import { linkCell } from './link-cell.ts';
import { DONE } from './message-changes.ts';
import type { LinkFound, MessageFound, PathwayOption } from './message-found.ts';
import { MOST_LINKS } from './message-look-up.ts';
import { countLink, shownCount } from './numbers.ts';
import { table } from './table.ts';

export interface MessagePage {
  readonly frame: Frame;
  readonly find: string;
  readonly found?: MessageFound | undefined;
  /** Why nothing was found. */
  readonly problem?: string | undefined;
  /** The change that was made just now. */
  readonly done?: keyof typeof DONE | undefined;
  /** Why nothing can be changed; undefined where it can. */
  readonly readOnly?: Html | undefined;
  /** The input that binds a form to its session. */
  readonly formToken?: Html | undefined;
}

export function messagePage(shown: MessagePage): Html {
  const { find, found, problem, done } = shown;
  return page({
    ...shown.frame,
    title: 'Message',
    path: '/message',
    content: html`<form action="/message" method="get" role="search">
<label>Tracked URL, token, message id or target <input type="search" name="find" value="${find}" maxlength="8192" required></label>
<button type="submit">Find</button>
</form>
${find === '' && html`<p class="quiet">A tracked URL is the address of a link in a mail as its recipient has it. The log, click events and <a href="/live">Live</a> have the ids of messages.</p>`}
${done !== undefined && html`<p role="status">${DONE[done]}</p>`}
${problem !== undefined && html`<p role="alert">${problem}</p>`}
${found !== undefined && foundSection(found, shown)}`,
  });
}

function foundSection(found: MessageFound, shown: MessagePage): Content {
  const { kind, note, hidden, links, options } = found;
  return [
    html`<section><h2>${TITLES[kind]}</h2>
${note !== undefined && html`<p>${note}</p>`}
${factList(found)}
${hidden.length > 0 && html`<p class="quiet">Not shown, or not in full, because of <code>log { detail }</code>: ${hidden.join(', ').replaceAll('_', ' ')}.</p>`}
${rulingText(found)}
${kind !== 'stored' && kind !== 'sealed' ? changeForm(found, shown) : html`<details><summary>Change all links of the message</summary>${changeForm(found, shown)}</details>`}
</section>`,
    links.length > 0 &&
      html`<section><h2>Links</h2>${linkTable(found, shown)}${pages(found)}</section>`,
    options.length > 0 &&
      html`<section><h2>Options in effect now</h2>${optionTable(found)}</section>`,
  ];
}

const TITLES: Readonly<Record<MessageFound['kind'], string>> = {
  stored: 'A message and its links',
  sealed: 'A sealed link',
  message: 'A message that is not stored',
  target: 'A target',
};

function factList(found: MessageFound): Html | false {
  const known = Object.entries(found.facts).filter(([, value]) => value !== false);
  if (known.length === 0) return false;
  return html`<dl class="facts">${known.map(([name, value]) => html`<dt>${name.replaceAll('_', ' ')}</dt><dd>${factValue(found, name, value)}</dd>`)}</dl>`;
}

function factValue(found: MessageFound, name: string, value: unknown): Content {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (name === 'campaign') {
    const address = addressOf('/campaign', { campaign: text, since: sinceSent(found) });
    return html`<a href="${address}">${shownName(text)}</a>`;
  }
  return value === true ? 'yes' : shownName(text);
}

/** The first day on which the message can have been clicked. */
function sinceSent({ facts: { injected } }: MessageFound): string | undefined {
  return typeof injected === 'string' ? countedSince(injected.slice(0, 10)) : undefined;
}

function linkTable(found: MessageFound, shown: MessagePage): Html {
  const campaign = found.facts['campaign'];
  const since = sinceSent(found);
  const rows =
    typeof campaign === 'string'
      ? addressOf('/rows', { by: 'position', campaign, since })
      : addressOf('/rows', { by: 'link', since });
  return table<LinkFound>({
    label: 'The tracked links of the message',
    columns: [
      { title: 'Link', cell: linkCellOf },
      { title: 'Clicks', cell: ({ clicks }) => countLink(clicks, rows) },
      {
        title: 'Ruling',
        isText: true,
        cell: (link) => html`${rulingText(link)}${changeDetails(found, link, shown)}`,
      },
    ],
    rows: found.links,
    csv: csvOfTable('links', found),
  });
}

function csvOfTable(table: 'links' | 'options', { find, from }: MessageFound): string {
  return addressOf('/message.csv', { table, find, from: String(from) });
}

function linkCellOf({ name, part, position, ...link }: LinkFound): Html {
  return linkCell({
    name,
    part,
    position,
    isUnsubscribe: link.unsubscribe === true,
    isNamed: link.is_named,
    target: link.target ?? link.target_host,
  });
}

type Ruled = Pick<
  LinkFound,
  | 'blocked'
  | 'retargeted'
  | 'retargeted_by'
  | 'retargeted_at'
  | 'retargeted_why'
  | 'leads_to'
  | 'leads_to_host'
>;

function rulingText(ruled: Ruled): Html | false {
  const { blocked, retargeted, retargeted_by: by, retargeted_at: at, retargeted_why: why } = ruled;
  const to = ruled.leads_to ?? ruled.leads_to_host;
  if (blocked !== undefined) return html`<p><strong>Blocked</strong> (${blocked}): 410 Gone</p>`;
  if (retargeted !== undefined) {
    return html`<p><strong>Retargeted</strong> (${retargeted})${to !== undefined && html` to ${shownName(to)}`}<br>
<small>by ${shownName(by ?? '')}, ${at}${why !== undefined && html`: ${shownName(why)}`}</small></p>`;
  }
  return to !== undefined && html`<p>${shownName(to)}</p>`;
}

function changeDetails(found: MessageFound, link: LinkFound, shown: MessagePage): Html | false {
  if (shown.readOnly !== undefined) return false;
  return html`<details><summary>Change</summary>${changeForm(found, shown, link)}</details>`;
}

/** @param link absent where the whole message, or the target, is meant */
function changeForm(found: MessageFound, shown: MessagePage, link?: LinkFound): Html {
  if (shown.readOnly !== undefined) return html`<p class="quiet">${shown.readOnly}</p>`;
  const isSealedLink = link !== undefined && found.kind === 'sealed';
  const isTarget = found.kind === 'target';
  const what = isSealedLink || isTarget ? found.find : (found.message_id ?? found.find);
  const isEverywhere = link !== undefined || isTarget;
  const { blocked, retargeted } = link ?? found;
  return html`<form action="/message/change" method="post">${shown.formToken}
<input type="hidden" name="find" value="${found.find}">
<input type="hidden" name="what" value="${what}">
${link?.position !== undefined && !isSealedLink && html`<input type="hidden" name="position" value="${link.position}">`}
<label>New target <input type="url" name="to" maxlength="8192"></label>
<label>Why <input type="text" name="why" maxlength="500"></label>
${isEverywhere && html`<label><input type="checkbox" name="everywhere" value="on"> all links to this target, in all messages</label>`}
<button type="submit" name="action" value="retarget">Retarget</button>
${retargeted !== undefined && html`<button type="submit" name="action" value="undo">Undo retarget</button>`}
${blocked === undefined && html`<button type="submit" name="action" value="block">Block</button>`}
${blocked !== undefined && blocked !== 'domain' && html`<button type="submit" name="action" value="unblock">Unblock</button>`}
</form>`;
}

function pages({
  find,
  from,
  links,
  link_count: count = links.length,
}: MessageFound): Html | false {
  if (count <= links.length && from === 0) return false;
  const at = (start: number, text: string) =>
    html`<a href="${addressOf('/message', { find, from: String(start) })}">${text}</a> `;
  return html`<p>Links ${shownCount(from)} to ${shownCount(from + links.length - 1)} of ${shownCount(count)}.
${from > 0 && at(Math.max(0, from - MOST_LINKS), 'Before')}${from + links.length < count && at(from + MOST_LINKS, 'After')}</p>`;
}

function optionTable(found: MessageFound): Html {
  const { options, facts } = found;
  const pathway = facts['pathway'];
  return html`<p>${typeof pathway === 'string' ? html`For mail of the pathway ${shownName(pathway)}` : 'For mail without a pathway'}.
A message holds neither its listener nor its client: where these decide, each possible value is named.
Macros, context variables and X-MSYS-API may have decided otherwise for this message.</p>
<details><summary>Options and where they are set</summary>${table<PathwayOption>({
    label: 'Options and where they are set',
    columns: [
      { title: 'Option', cell: ({ option }) => html`<code>${option}</code>` },
      { title: 'Value', isText: true, cell: ({ value }) => html`<code>${value}</code>` },
      { title: 'Set', isText: true, cell: ({ source }) => html`<small>${source}</small>` },
    ],
    rows: options,
    csv: csvOfTable('options', found),
  })}</details>`;
}
