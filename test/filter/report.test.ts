import { expect, test } from 'vitest';
import { explainReason, UNTOUCHED_REASONS } from '../../src/filter/report.ts';

const table = (reasons: Readonly<Record<string, string>>) =>
  ['| reason | meaning |', '|---|---|']
    .concat(Object.entries(reasons).map(([reason, text]) => `| \`${reason}\` | ${text} |`))
    .join('\n');

/** `vitest -u` writes the page again. */
test('docs/skip-reasons.md lists every reason', async () => {
  const { message, part, link } = UNTOUCHED_REASONS;
  await expect(`# Skip reasons

clickmilter names the reason when it leaves a message or a link alone: in the field \`reason\` and
the counts \`leftAlone\` of the log, in the label \`reason\` of \`clickmilter_messages_total\` and
\`clickmilter_links_total\`, and, with the explanation below, in the output of
\`clickmilter explain\`.

## A message

${table(message)}

## A part

If one part is left alone, links in the other are still tracked.

${table(part)}

## A link

${table(link)}
`).toMatchFileSnapshot('../../docs/skip-reasons.md');
});

test('each reason is a word for a label, and names one thing', () => {
  const reasons = Object.values(UNTOUCHED_REASONS).flatMap((group) => Object.keys(group));
  expect(reasons.filter((reason) => !/^[a-z]+(?:-[a-z]+)*$/.test(reason))).toEqual([]);
  expect(new Set(reasons).size).toBe(reasons.length);
});

test('a reason is explained in words that complete "left alone"', () => {
  expect(explainReason('off')).toBe('click_tracking_enabled is off');
  expect(explainReason('relative')).toBe('a relative link without a base');
});
