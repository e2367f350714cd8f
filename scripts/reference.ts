import type { Definition, Definitions } from '../src/config/option.ts';
import {
  definitionOf,
  placeName,
  places,
  type StanzaDefinition,
  stanzas,
} from '../src/config/stanzas.ts';
import { trackingOptions } from '../src/config/tracking-options.ts';
import { inQuotes, writeValue } from '../src/config/write-value.ts';
import type { OptionValue } from '../src/scope/option-value.ts';

const COLUMNS = 100;

/** The grammar of the configuration, a paragraph each. */
export const GRAMMAR = [
  'Options are NAME = VALUE, and stanzas are NAME { ... } or NAME "LABEL" { ... }. Names and the words of choices are ' +
    'not case-sensitive. A stanza may appear again: its settings are merged, and the later one wins.',
  'Values with white space or any of # / " \' = { } [ ] ( ) are quoted; lists are ( "a" "b" ), maps are ' +
    '[ name = "value" ]. Comments run from # to the end of the line, or between /* and */.',
  'Booleans are on/off, true/false, enabled/disabled or 1/0. Sizes are bytes, or 25K, 25M, 25G. Durations are seconds, ' +
    'but keep has a unit, as in 90d. A relative path starts at the folder of the file that contains it. include "file.conf" and include "folder" work anywhere.',
];

/** How a message gets its options. */
export const PRECEDENCE =
  'Each option is decided separately, by the most specific scope that sets it: the pathway of the message (in its group, ' +
  'then outside it), the group, a Peer in the Listen, the Listen, a Peer in the ESMTP_Listener, the ESMTP_Listener. ' +
  'clickmilter explain shows the value in effect and the line that sets it. By default nothing is tracked.';

/** The stanzas that take the options of tracking. */
export const trackingScopes = stanzas.filter(({ options }) =>
  Object.keys(trackingOptions).every((name) => name in options),
);

/** The options that only this stanza has, and those that it shares but that are not the options of tracking. */
export function ownOptions(stanza: StanzaDefinition): Definitions {
  return Object.fromEntries(
    Object.entries(stanza.options).filter(([name]) => !(name in trackingOptions)),
  );
}

/** The default of an option in words, or as it is written in the file; undefined if it has none. */
export function defaultText(option: Definition): string | undefined {
  const { default: value } = option;
  if (value === undefined || typeof value === 'function') return option.otherwise;
  const isEmpty =
    (Array.isArray(value) && value.length === 0) || (value instanceof Map && value.size === 0);
  return isEmpty ? 'none' : written(value, option);
}

/** `ESMTP_Listener ["NAME"]`, how a stanza begins. */
export function stanzaTitle({ name, label }: StanzaDefinition): string {
  if (label === undefined) return name;
  const text = { name: '"NAME"', peer: '"NETWORK"', listen: '"ADDRESS"' }[label.kind];
  return `${name} ${label.required ? text : `[${text}]`}`;
}

/** conf/clickmilter.conf: the template with the descriptions of stanzas and options filled in. */
export function referenceFile(template: string): string {
  const lines = template.split('\n').flatMap((line) => {
    const [, indent = '', directive, id = '', live = ''] =
      /^([ #]*)@(\w+) ?(\w*) ?(.*)$/.exec(line) ?? [];
    switch (directive) {
      case 'grammar':
        return GRAMMAR.flatMap((text, index) => [
          ...(index > 0 ? [`${indent}#`] : []),
          ...comment(text, indent),
        ]);
      case 'precedence':
        return comment(PRECEDENCE, indent);
      case 'about':
        return comment(definitionOf(id).description, indent);
      case 'options':
        return optionLines(definitionOf(id), indent, live.split(' '));
      default:
        return [line];
    }
  });
  return lines.join('\n');
}

/** @param live the options that are set; others are commented out */
function optionLines(stanza: StanzaDefinition, indent: string, live: readonly string[]): string[] {
  // A stanza that is commented out has no use for a second #.
  const off = indent.includes('#') ? indent : `${indent}#`;
  return Object.entries(stanza.options).flatMap(([name, option]) => [
    ...comment(helpWithChoices(option), indent),
    `${live.includes(name) ? indent : off}${name} = ${exampleOf(name, option)}`,
  ]);
}

function helpWithChoices({ help, type }: Definition): string {
  return type.choices === undefined ? help : `${help} One of: ${type.choices.join(', ')}.`;
}

function exampleOf(name: string, option: Definition): string {
  const { example, default: value } = option;
  if (example !== undefined) return example;
  if (value === undefined || typeof value === 'function')
    throw new Error(`${name} needs an example`);
  return written(value, option);
}

/** A value as a person would write it: booleans as words, free text in quotes. */
function written(value: OptionValue, option: Definition): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  const isFree = typeof value === 'string' && option.type.choices === undefined;
  return isFree ? inQuotes(value) : writeValue(value, option);
}

function comment(text: string, indent: string): string[] {
  return wrap(text, COLUMNS - indent.length - 2).map((line) => `${indent}# ${line}`);
}

/** docs/configuration.md: every stanza and option. */
export function referencePage(): string {
  const blocks = [
    '# Configuration reference',
    '<!-- Generated from the option tables in src/config/ by `npm run generate`. -->',
    paragraph(
      'Every stanza and option of `clickmilter.conf`. `conf/clickmilter.conf` is the same as a commented configuration, ' +
        '`man clickmilter.conf` as a manual page, and `clickmilter check` reports every mistake in a configuration.',
    ),
    '## Grammar',
    ...GRAMMAR.map((text) => paragraph(escaped(text))),
    '## Tracking options',
    paragraph(`These options are valid in ${places(trackingScopes)}. ${PRECEDENCE}`),
    ...optionBlocks(trackingOptions, () => 'a reload'),
    ...stanzas.flatMap(stanzaBlocks),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function stanzaBlocks(stanza: StanzaDefinition): string[] {
  const { id, within } = stanza;
  const parents = places(within.map(definitionOf));
  const sentences = [
    escaped(stanza.description),
    ...(id === 'global' ? [] : [`\`${stanzaTitle(stanza)} { … }\` stands in ${parents}.`]),
    ...(trackingScopes.includes(stanza) ? ['It takes the tracking options.'] : []),
  ];
  return [
    `## ${id === 'global' ? 'Global options' : placeName(stanza)}`,
    paragraph(sentences.join(' ')),
    ...optionBlocks(ownOptions(stanza), (name) => appliedBy(stanza, name)),
  ];
}

/** What applies a change of an option. Children follow the stanza at the top level that contains them. */
function appliedBy({ reloads, within }: StanzaDefinition, name: string): string {
  const [parent = 'global'] = within;
  if (parent !== 'global') return appliedBy(definitionOf(parent), name);
  return reloads === 'all' || reloads?.includes(name) ? 'a reload' : 'a restart';
}

function optionBlocks(options: Definitions, appliedBy: (name: string) => string): string[] {
  return Object.entries(options).flatMap(([name, option]) => [
    `### ${name}`,
    paragraph(escaped(option.help)),
    [
      ...item('Value', escaped(option.type.expects)),
      ...item('Default', defaultOf(option)),
      ...item('Applied by', appliedBy(name)),
      ...item('Since', option.since ?? '0.1.0'),
    ].join('\n'),
  ]);
}

function defaultOf(option: Definition): string {
  const text = defaultText(option);
  const isWritten = option.default !== undefined && typeof option.default !== 'function';
  return isWritten && text !== 'none' ? `\`${text}\`` : (text ?? 'none');
}

function item(name: string, text: string): string[] {
  return wrap(`${name}: ${text}`, COLUMNS - 2).map(
    (line, index) => `${index === 0 ? '-' : ' '} ${line}`,
  );
}

function paragraph(text: string): string {
  return wrap(text, COLUMNS).join('\n');
}

/** Text in which Markdown has nothing to interpret. */
function escaped(text: string): string {
  return text.replace(/[\\`*<>|[\]]/g, '\\$&');
}

function wrap(text: string, width: number): string[] {
  const rows: string[] = [];
  for (const word of text.split(' ')) {
    const row = rows.at(-1);
    if (row === undefined || row.length + 1 + word.length > width) rows.push(word);
    else rows[rows.length - 1] = `${row} ${word}`;
  }
  return rows;
}
