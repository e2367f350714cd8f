import type { Goal, Measure, Row } from './harness.ts';

/**
 * The one table of a run.
 * @param before each line's ratio in an earlier run, by `rowName`
 */
export function table(rows: readonly Row[], before: Readonly<Record<string, number>> = {}): string {
  const lines = [
    ['', 'measured', 'beside it', 'ratio', 'before', 'goal', ''],
    ...rows.map((row) => [
      row.what,
      measureText(row.ours),
      row.beside ? measureText(row.beside) : '',
      ratioText(row.ratio),
      ratioText(before[rowName(row)]),
      row.goal ? goalText(row.goal) : '',
      row.goal ? (isMet(row) ? 'met' : 'NOT MET') : '',
    ]),
  ];
  const widths = lines[0]?.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths?.[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What a line is called in the history. */
export function rowName({ what, ours, beside }: Row): string {
  return `${what} (${beside ? `${ours.who} / ${beside.who}` : ours.who})`;
}

export function isMet({ goal, ratio }: Row): boolean {
  if (goal === undefined || ratio === undefined) return goal === undefined;
  return 'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
}

function goalText(goal: Goal): string {
  return 'atLeast' in goal ? `≥ ${ratioText(goal.atLeast)}` : `≤ ${ratioText(goal.atMost)}`;
}

function measureText({ who, value, unit }: Measure): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const amount = value.toLocaleString('en', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return `${who} ${amount} ${unit}`.trim();
}

function ratioText(ratio: number | undefined): string {
  if (ratio === undefined) return '';
  return ratio.toFixed(ratio >= 100 ? 0 : ratio >= 0.2 ? 2 : 3);
}
