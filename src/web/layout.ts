import { addressOf, NARROWING, type Selection } from './filters.ts';
import { type Content, Html, html } from './html.ts';

/** The views that stand in the navigation. */
const VIEWS = [['/', 'Overview']] as const;

export interface PageOptions {
  readonly title: string;
  /** The path of the view: the form of the filters leads there, and the navigation shows it. */
  readonly path: string;
  /** Absent for pages without filters. */
  readonly selection?: Selection;
  /** More parameters that the form of the filters keeps. */
  readonly keep?: Readonly<Record<string, string>>;
  readonly content: Content;
}

/** A whole page, with navigation and filters. */
export function page({ title, path, selection, keep = {}, content }: PageOptions): Html {
  const days = selection && { since: selection.since, until: selection.until };
  return html`${DOCTYPE}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · clickmilter</title>
<link rel="stylesheet" href="/assets/uPlot.min.css">
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/assets/plots.js"></script>
</head>
<body>
<header>
<nav aria-label="Views"><ul>${VIEWS.map(
    ([at, name]) =>
      html`<li><a href="${addressOf(at, days ?? {})}"${at === path && html` aria-current="page"`}>${name}</a></li>`,
  )}</ul></nav>
</header>
<main>
<h1>${title}</h1>
${selection && filterForm(path, selection, keep)}
${content}
</main>
</body>
</html>
`;
}

const DOCTYPE = new Html('<!doctype html>');

function filterForm(
  path: string,
  selection: Selection,
  keep: Readonly<Record<string, string>>,
): Html {
  const hidden = Object.entries(keep).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const names = NARROWING.map(
    (name) =>
      html`<label>${name} <input type="text" name="${name}" value="${selection[name] ?? ''}"></label>`,
  );
  return html`<form class="filters" action="${path}" method="get">${hidden}
<label>since <input type="date" name="since" value="${selection.since}"></label>
<label>until <input type="date" name="until" value="${selection.until}"></label>
${names}
<button type="submit">Show</button>
</form>`;
}
