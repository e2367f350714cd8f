import { type Static, Type } from 'typebox';

const count = (description: string) => Type.Integer({ minimum: 0, description });

const Numbers = {
  messages: Type.Optional(count('Messages with tracked links.')),
  links: Type.Optional(count('Tracked links in them.')),
  count_clicked: count('Clicks.'),
  count_raw_clicked: count('Links clicked at least once, each once per message.'),
  count_unique_clicked: count('Messages of which at least one link was clicked.'),
  people_clicked: count("People's clicks."),
  people_raw_clicked: count('Links that people clicked, each once per message.'),
  people_unique_clicked: count('Messages of which people clicked a link.'),
  automatic_clicked: count('Clicks that programs made, such as scanners and previews.'),
  unknown_clicked: count(
    'Clicks counted by a release that did not tell people and programs apart.',
  ),
};

/** The sum of rows. */
export const Total = Type.Object(Numbers);

/** One row of a breakdown, under the names that `clickmilter report --json` has. */
export const Row = Type.Object({
  key: Type.String({
    description:
      'What the row is about; empty where a message had none. Where `log { detail }` hides a target or tag, `shop.example/…` or `(not shown)`.',
  }),
  ...Numbers,
});
export type Row = Static<typeof Row>;

/** Counts that were left out. */
export const Unreadable = count('Counts left out because they cannot be read.');

/** Every answer that is not the one that was asked for. */
export const Problem = Type.Object({
  error: Type.String({ description: 'One sentence: what is wrong, and what would be right.' }),
});

/** A page for people, beside the JSON at the same address. */
export const Page = Type.String({ description: 'A page for people.' });
