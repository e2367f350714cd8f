import { addressOf, NARROWING, type Narrowing, type Selection } from './filters.ts';
import { type Content, Html, html } from './html.ts';

/** The views that stand in the navigation. */
const VIEWS = [
  ['/', 'Overview'],
  ['/message', 'Message'],
  ['/live', 'Live'],
] as const;

export interface PageOptions {
  readonly title: string;
  /** The path of the view: the form of the filters leads there, and the navigation shows it. */
  readonly path: string;
  /** Absent for pages without filters; without days for one that shows no period. */
  readonly selection?: Partial<Selection>;
  /** What the filters can narrow the view to; all by default. */
  readonly narrowing?: readonly Narrowing[];
  /** More parameters that the form of the filters keeps. */
  readonly keep?: Readonly<Record<string, string>>;
  /** A script of browser/ that only this page has. */
  readonly script?: string;
  readonly content: Content;
}

/** A whole page, with navigation and filters. */
export function page(options: PageOptions): Html {
  const { title, path, selection, script, content } = options;
  // Of these views, Overview alone shows a period.
  const days = { since: selection?.since, until: selection?.until };
  return html`${DOCTYPE}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · clickmilter</title>
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
  )}<li><a href="/login"${path === '/login' && CURRENT}>Login</a></li></ul></nav>
</header>
<main>
<h1>${title}</h1>
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

function filterForm(
  selection: Partial<Selection>,
  { path, keep = {}, narrowing = NARROWING }: PageOptions,
): Html {
  const hidden = Object.entries(keep).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const names = narrowing.map(
    (name) =>
      html`<label>${NAMES[name]} <input type="text" name="${name}" value="${selection[name] ?? ''}"></label>`,
  );
  return html`<form class="filters" action="${path}" method="get">${hidden}
${
  selection.since !== undefined &&
  html`<label>Since (UTC) <input type="date" name="since" value="${selection.since}"></label>
<label>Until <input type="date" name="until" value="${selection.until}"></label>`
}
${names}
<button type="submit">Show</button>
</form>`;
}
