import { closest, distance } from 'fastest-levenshtein';
import { printable } from '../lib/printable.ts';
import type { Origin } from '../scope/option-value.ts';

/** A mistake in a configuration: its place, and a message that says what would be right. */
export interface Problem extends Origin {
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** `FILE:LINE:COLUMN: message`, with `warning: ` before the message of a warning. */
export function formatProblem(problem: Problem): string {
  const kind = problem.severity === 'warning' ? 'warning: ' : '';
  return `${formatOrigin(problem)}:${problem.column}: ${kind}${printable(problem.message)}`;
}

/** `FILE:LINE`, a place inside a sentence. */
export function formatOrigin({ file, line }: Origin): string {
  return `${file}:${line}`;
}

/** Collects problems. Reading a configuration continues after each of them. */
export class Problems {
  readonly #all: Problem[] = [];

  error({ file, line, column }: Origin, message: string): void {
    this.#all.push({ severity: 'error', file, line, column, message });
  }

  warning({ file, line, column }: Origin, message: string): void {
    this.#all.push({ severity: 'warning', file, line, column, message });
  }

  get hasErrors(): boolean {
    return this.#all.some(({ severity }) => severity === 'error');
  }

  /**
   * File by file in order of first appearance, each from top to bottom. Repetitions by a file
   * included twice are removed.
   */
  sorted(): readonly Problem[] {
    const different = new Map(this.#all.map((problem) => [formatProblem(problem), problem]));
    const files = [...new Set(this.#all.map(({ file }) => file))];
    return [...different.values()].sort(
      (a, b) =>
        files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
    );
  }
}

/** Shorter prefixes match too many names. */
const SHORTEST_PREFIX = 5;

/**
 * `; did you mean …?` if one of the names is similar or begins with the given one; else an empty
 * string.
 */
export function nearest(name: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return '';
  const wanted = name.toLowerCase();
  const lower = candidates.map((candidate) => candidate.toLowerCase());
  const alike = closest(wanted, lower);
  // Of three letters one may differ, of four and more two, of nine and more a third.
  const most = Math.min(Math.max(2, Math.floor(wanted.length / 3)), Math.floor(wanted.length / 2));
  const isNear = distance(wanted, alike) <= most;
  const longer =
    wanted.length < SHORTEST_PREFIX ? [] : lower.filter((name) => name.startsWith(wanted));
  const best = isNear ? alike : longer[0];
  return best === undefined ? '' : `; did you mean ${candidates[lower.indexOf(best)]}?`;
}
