import { addressOf, NARROWING, type Narrowing, type Selection } from './filters.ts';
import { type Content, Html, html, shownName, withoutTurns } from './html.ts';
import type { Names } from './known-names.ts';

/** The views that stand in the navigation. */
const VIEWS = [
  ['/', 'Overview'],
  ['/message', 'Message'],
  ['/live', 'Live'],
] as const;

/** The part of a page around its content. */
export interface Frame {
  /** Names that the filters suggest. */
  readonly names?: Partial<Names> | undefined;
  /** Whether there is a login. */
  readonly hasLogin?: boolean;
}

export interface PageOptions extends Frame {
  readonly title: string;
  /** The path of the view: the form of the filters leads there, and the navigation shows it. */
  readonly path: string;
  /** Absent for pages without filters; without days for one that shows no period. */
  readonly selection?: Partial<Selection>;
  /** The kinds of names to which the filters can narrow the view; all by default. */
  readonly narrowing?: readonly Narrowing[];
  /** Whether the view can be narrowed to one name at a time, as by default, or to several together. */
  readonly hasOneName?: boolean;
  /** Whether there is no such view without a name. */
  readonly needsName?: boolean;
  /** More parameters that the form of the filters keeps. */
  readonly keep?: Readonly<Record<string, string>>;
  /** A script of browser/ that only this page has. */
  readonly script?: string;
  readonly content: Content;
}

/** A whole page, with navigation and filters. */
export function page(options: PageOptions): Html {
  const { title, path, selection, script, hasLogin, content } = options;
  // Of these views, Overview alone shows a period.
  const days = { since: selection?.since, until: selection?.until };
  return html`${DOCTYPE}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${withoutTurns(title)} · clickmilter</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/uPlot.min.css">
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/assets/plots.js"></script>
${script !== undefined && html`<script type="module" src="/assets/${script}"></script>`}
</head>
<body>
<header>
<a class="brand" href="/">clickmilter</a>
<nav aria-label="Views"><ul>${VIEWS.map(
    ([at, name]) =>
      html`<li><a href="${addressOf(at, at === '/' ? days : {})}"${at === path && CURRENT}>${name}</a></li>`,
  )}${hasLogin && html`<li><a href="/login"${path === '/login' && CURRENT}>Login</a></li>`}</ul></nav>
</header>
<main>
<h1>${shownName(title)}</h1>
${selection && html`<p class="paper">${aboutText(selection)}</p>`}
${selection && filterForm(selection, options)}
${content}
</main>
</body>
</html>
`;
}

const CURRENT = html` aria-current="page"`;
const DOCTYPE = new Html('<!doctype html>');

const NAMES: Readonly<Record<Narrowing, string>> = {
  campaign: 'Campaign',
  pathway: 'Pathway',
  tag: 'Tag',
};

/** The subject of a page, for paper. */
function aboutText({ since, until, ...narrowed }: Partial<Selection>): Content {
  const names = NARROWING.flatMap((by) => {
    const name = narrowed[by];
    return name === undefined ? [] : html`${NAMES[by]} ${shownName(name)} `;
  });
  return [since !== undefined && `${since} to ${until} (UTC) `, ...names];
}

/** By its placeholder, style.css sees which name is set, and takes away the inputs of the others. */
const ONE_NAME = html` placeholder=" "`;

function filterForm(
  selection: Partial<Selection>,
  { path, keep = {}, narrowing = NARROWING, hasOneName = true, needsName, names = {} }: PageOptions,
): Html {
  const hidden = Object.entries(keep).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const inputs = narrowing.map(
    (name) =>
      html`<label>${NAMES[name]} <input type="text" name="${name}" value="${selection[name] ?? ''}" list="known-${name}"${hasOneName && ONE_NAME}${needsName && ' required'}></label>
<datalist id="known-${name}">${names[name]?.map((known) => html`<option value="${known}"></option>`)}</datalist>`,
  );
  return html`<form class="filters" action="${path}" method="get">${hidden}
${
  selection.since !== undefined &&
  html`<label>Since (UTC) <input type="date" name="since" value="${selection.since}"></label>
<label>Until <input type="date" name="until" value="${selection.until}"></label>`
}
${inputs}
<button type="submit">Show</button>
</form>`;
}
