import { closest, distance } from 'fastest-levenshtein';

/** Shorter beginnings say too little of what was meant. */
const shortestBeginning = 5;

/** `; did you mean …?` where one of the names is near enough, or begins like it, else nothing. */
export function nearest(name: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return '';
  const wanted = name.toLowerCase();
  const lower = candidates.map((candidate) => candidate.toLowerCase());
  const alike = closest(wanted, lower);
  const isNear = distance(wanted, alike) <= Math.max(2, Math.floor(wanted.length / 3));
  const longer =
    wanted.length < shortestBeginning ? [] : lower.filter((name) => name.startsWith(wanted));
  const best = isNear ? alike : longer[0];
  return best === undefined ? '' : `; did you mean ${candidates[lower.indexOf(best)]}?`;
}
