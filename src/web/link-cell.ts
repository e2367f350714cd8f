import { type Html, html, shownName } from './html.ts';

/** The facts of a link that tables of single links show. */
export interface ShownLink {
  readonly part?: string | undefined;
  readonly position?: number | undefined;
  readonly isUnsubscribe: boolean;
  /** Whether it is the link that was asked for. */
  readonly isNamed?: boolean;
  /** Absent for a link without a name. */
  readonly name?: string | undefined;
  /** Where it leads, as far as `log { detail }` shows that. */
  readonly target?: string | undefined;
}

/** A link in a table: its name, its place, where it leads. */
export function linkCell(link: ShownLink): Html {
  const { name = '', part, position, isUnsubscribe, isNamed = false, target = '' } = link;
  const place = [part, position, isUnsubscribe ? 'unsubscribe' : undefined];
  return html`${shownName(name, 'no name')} <small class="place">${place.filter((one) => one !== undefined).join(' ')}</small>${isNamed && html` <strong>this link</strong>`}
<br><small>${shownName(target, 'target not shown')}</small>`;
}
