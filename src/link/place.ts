/** The place of a link in the messages of a campaign, by which clicks are counted. */
export interface LinkPlace {
  readonly part: string;
  /** Its place among the tracked links of its message, from 0 on; absent where it is not known. */
  readonly position?: number | undefined;
  /** The link's name, else its target. */
  readonly label: string;
}

/** The last position that is counted as such; newsletters have fewer links. */
const MAX_POSITION = 999;

/** The key of a place: `html 3 Shop`. */
export function placeKey({ part, position, label }: LinkPlace): string {
  const isKnown = position !== undefined && position <= MAX_POSITION;
  return `${part} ${isKnown ? position : '-'} ${label}`;
}

/** @returns undefined for a key that is not the place of a link */
export function parsePlace(key: string): LinkPlace | undefined {
  const [, part, place, label] = /^(\S+) (\d{1,3}|-) (.*)$/s.exec(key) ?? [];
  if (part === undefined || label === undefined) return undefined;
  return { part, position: place === '-' ? undefined : Number(place), label };
}
