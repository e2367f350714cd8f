import { type Static, Type } from 'typebox';

const text = (description: string) => Type.Optional(Type.String({ description }));

/**
 * A value that an option of the scopes may have for mail of a pathway. It has one where the pathway
 * decides that.
 */
export const PathwayOption = Type.Object({
  option: Type.String(),
  value: Type.String({ description: '`(not shown)` where `log { detail }` hides recipients.' }),
  source: Type.String({ description: 'Where it is set.' }),
});
export type PathwayOption = Static<typeof PathwayOption>;

/** A ruling that holds, and what it is about. */
const RulingFound = {
  blocked: text('What the block is about: `token`, `message`, `url` or `domain`.'),
  retargeted: text('What the retarget is about: `token`, `message` or `url`.'),
  retargeted_by: text('Who decided that.'),
  retargeted_at: text('When: ISO 8601.'),
  retargeted_why: text('Why.'),
  leads_to: text('Where the link leads instead of its target; with `detail = full`.'),
  leads_to_host: text('The host of that; with `detail = domain`.'),
};

/** A tracked link of a message. */
export const LinkFound = Type.Object({
  position: Type.Optional(
    Type.Integer({ minimum: 0, description: 'The place among the tracked links of the message.' }),
  ),
  is_named: Type.Boolean({ description: 'Whether it is the link that was looked up.' }),
  part: Type.String(),
  name: text('`data-msys-linkname`.'),
  target: text('The target; with `detail = full`.'),
  target_host: text('The host of the target; with `detail = domain`.'),
  unsubscribe: Type.Optional(Type.Boolean()),
  clicks: Type.Integer({
    minimum: 0,
    description: 'Clicks counted; links of one name, or of one target without a name, share them.',
  }),
  ...RulingFound,
});
export type LinkFound = Static<typeof LinkFound>;

/** The known facts of a link, a message or a target. */
export const MessageFound = Type.Object({
  find: Type.String({ description: 'What was asked for.' }),
  kind: Type.Enum(['stored', 'sealed', 'message', 'target'], {
    description:
      '`stored`: a message with its record; `sealed`: a link that holds its message; ' +
      '`message`: a message without a record; `target`: a URL that links may lead to.',
  }),
  message_id: Type.Optional(Type.String()),
  facts: Type.Record(Type.String(), Type.Unknown(), {
    description: 'What the record or the sealed link holds, under the names of `clickmilter link`.',
  }),
  hidden: Type.Array(Type.String(), {
    description: 'Facts that are known, and not shown because of `log { detail }`.',
  }),
  links: Type.Array(LinkFound),
  link_count: Type.Optional(Type.Integer({ description: 'How many links the message has.' })),
  from: Type.Integer({ description: 'The position of the first link in this answer.' }),
  ...RulingFound,
  options: Type.Array(PathwayOption, {
    description: 'The options of the scopes that hold now for mail of the pathway.',
  }),
  note: text('What cannot be known, and why.'),
});
export type MessageFound = Static<typeof MessageFound>;
