import { closest, distance } from 'fastest-levenshtein';

/** `; did you mean …?` where one of the names is near enough, else nothing. */
export function nearest(name: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return '';
  const wanted = name.toLowerCase();
  const lower = candidates.map((candidate) => candidate.toLowerCase());
  const best = closest(wanted, lower);
  if (distance(wanted, best) > Math.max(2, Math.floor(wanted.length / 3))) return '';
  return `; did you mean ${candidates[lower.indexOf(best)]}?`;
}
