import type { Origin } from '../scope/option-value.ts';

/** What is wrong with a configuration, where, and what would be right. */
export interface Problem extends Origin {
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** `FILE:LINE:COLUMN: message`, with `warning: ` before the message of a warning. */
export function formatProblem(problem: Problem): string {
  const kind = problem.severity === 'warning' ? 'warning: ' : '';
  return `${problem.file}:${problem.line}:${problem.column}: ${kind}${problem.message}`;
}
