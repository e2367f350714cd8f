import { AUTOMATION_REASONS } from '../src/link/automation-reasons.ts';
import { CLICK_FACTS, EVENT_FACTS, NODE_FACTS, SIGN_FACTS } from '../src/link/click-facts.ts';
import {
  type EventField,
  type Fact,
  type FactTable,
  factsIn,
  type Schema,
} from '../src/link/fact.ts';
import { LINK_FACTS, MESSAGE_FACTS } from '../src/link/message-facts.ts';

const WIDTH = 100;

interface Field extends EventField<unknown> {
  readonly name: string;
  readonly fact: Fact;
  /** What of it a sealed link knows. */
  readonly sealed: string;
}

function fieldsOf(table: FactTable, sealedLink: (fact: Fact) => string): readonly Field[] {
  return factsIn(table).flatMap((fact) =>
    Object.entries(fact.event ?? {}).map(([name, field]) => {
      return { ...field, name, fact, sealed: sealedLink(fact) };
    }),
  );
}

const FIELDS = [
  ...[NODE_FACTS, EVENT_FACTS, SIGN_FACTS, CLICK_FACTS].flatMap((table) =>
    fieldsOf(table, () => 'always'),
  ),
  ...[LINK_FACTS, MESSAGE_FACTS].flatMap((table) => fieldsOf(table, inSealedLink)),
];

/** conf/click-event.schema.json */
export function eventSchema(): string {
  const properties = FIELDS.map(({ name, description, own, schema, fact }): [string, Schema] => {
    const text = own ? `Not Momentum's: ${description}` : capital(description);
    return [
      name,
      { description: `${text.replaceAll('`', '')}.`, ...(schema ?? fact.shape.schema) },
    ];
  });
  return inBiomeStyle({
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'https://clickmilter.example/click-event.schema.json',
    title: 'Click event',
    description:
      'One click as it stands in the Redis stream, in the journal and in the array that a webhook gets: ' +
      "Momentum's track_event. A field whose value is not known is left out. Fields may be added; consumers ignore " +
      'those they do not know.',
    type: 'object',
    required: ['msys'],
    additionalProperties: false,
    properties: {
      msys: {
        type: 'object',
        required: ['track_event'],
        additionalProperties: false,
        properties: { track_event: { $ref: '#/definitions/track_event' } },
      },
    },
    definitions: {
      track_event: {
        type: 'object',
        required: FIELDS.filter(({ required }) => required).map(({ name }) => name),
        additionalProperties: false,
        not: { required: ['rcpt_to', 'rcpt_count'] },
        dependencies: { raw_rcpt_to: ['rcpt_to'], rcpt_to: ['raw_rcpt_to'] },
        properties: Object.fromEntries(properties),
      },
    },
  });
}

/** docs/events.md with its tables of fields and reasons filled in. */
export function eventPage(page: string): string {
  const fields = FIELDS.map(({ name, own, description, sealed }) => [
    own ? `\`${name}\` *` : `\`${name}\``,
    description,
    sealed,
  ]);
  const reasons = Object.entries(AUTOMATION_REASONS).map(([name, sign]) => [
    `\`${name}\``,
    sign.click,
    `${sign.decides ? 'yes' : 'no'}: ${sign.because}`,
  ]);
  return filledIn(filledIn(page, 'fields', fields), 'reasons', reasons);
}

function inSealedLink({ sealed }: Fact): string {
  if (sealed === undefined) return 'never';
  if (sealed === 'bounded') return 'up to 255 bytes';
  return sealed === 'always' || sealed === 0 ? 'always' : `as there is room, rank ${sealed}`;
}

/** Puts rows behind the head of the table that stands between `<!-- NAME -->` and `<!-- /NAME -->`. */
function filledIn(page: string, name: string, rows: readonly (readonly string[])[]): string {
  const text = rows.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
  const place = new RegExp(
    `(<!-- ${name}[^\n]* -->\n\n.*\n\\|[-|]+\\|\n)[^]*?(\n<!-- /${name} -->)`,
  );
  if (!place.test(page)) throw new Error(`docs/events.md: no table between <!-- ${name} --> marks`);
  return page.replace(place, (_, before: string, behind: string) => before + text + behind);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** JSON as the formatter leaves it: lists that fit into a line stand in one. */
function inBiomeStyle(value: unknown): string {
  const json = JSON.stringify(value, undefined, 2);
  const lists = /^(.*)\[\n\s*([^[\]{}]+?)\n\s*\](,?)$/gm;
  return `${json.replace(lists, (whole, before: string, items: string, comma: string) => {
    const line = `${before}[${items.replace(/\n\s*/g, ' ')}]${comma}`;
    return line.length <= WIDTH ? line : whole;
  })}\n`;
}
