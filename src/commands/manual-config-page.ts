import type { Definition } from '../config/option.ts';
import { type StanzaDefinition, stanzas } from '../config/stanzas.ts';
import { trackingOptions } from '../config/tracking-options.ts';
import type { OptionValue } from '../scope/option-value.ts';
import { entry, example, heading, paragraph, section, subsection } from './roff.ts';

const SHORTEST = `Milter_Listener { Listen "127.0.0.1:8893" { } }
HTTP_Listener { Listen "127.0.0.1:8080" { } }

ESMTP_Listener {
  tracking_domain = "click.example.com"
  click_tracking_scheme = "https"
  Peer "10.0.0.0/8" { click_tracking_enabled = on }
}`;

/** clickmilter.conf(5), from the one list of stanzas and options. */
export function configPage(version: string, date: string): string {
  return [
    heading('clickmilter.conf', 5, version, date),
    section('NAME', 'clickmilter.conf \\- configuration of clickmilter\n'),
    section(
      'DESCRIPTION',
      paragraph(
        "The grammar is Momentum's: options are NAME = VALUE, stanzas are NAME LABEL { ... }, and a comment goes from " +
          '# to the end of its line. Stanzas that appear again are merged, and the later setting wins. Names and the ' +
          'words of choices are read without regard to case.',
      ),
      paragraph(
        'An option of tracking may stand in any of the stanzas that tell mail apart. Of those that match a message the ' +
          'most specific one that sets the option decides: the pathway of the message and its group, then a Peer ' +
          'in the Listen, the Listen, a Peer in the ESMTP_Listener, the ESMTP_Listener. In one place the longest ' +
          'matching Peer is asked first. clickmilter explain shows the value in effect and the line it comes from.',
      ),
      example(SHORTEST),
    ),
    section('STANZAS AND OPTIONS', ...trackingEntries(), ...stanzas.flatMap(stanzaEntries)),
    section(
      'FILES',
      entry(
        '/etc/clickmilter/clickmilter.conf',
        'Where clickmilter looks, if --config names no other.',
      ),
    ),
    section('SEE ALSO', '.BR clickmilter (8)\n'),
  ].join('');
}

/** Options that many stanzas share are explained once. */
function trackingEntries(): string[] {
  const places = stanzas
    .filter(takesTracking)
    .map(({ id, name }) => (id === 'listen' ? `${name} in it` : name));
  return [
    subsection('Options of tracking', paragraph(`They may stand in any of ${places.join(', ')}.`)),
    ...Object.entries(trackingOptions).map(([name, option]) => optionEntry(name, option)),
  ];
}

function stanzaEntries(stanza: StanzaDefinition): string[] {
  const places = stanza.within.map(nameOf).join(', ');
  const sentences = [
    stanza.description,
    ...(places === '' ? [] : [`It stands in ${places}.`]),
    ...(takesTracking(stanza) ? ['It takes the options of tracking.'] : []),
  ];
  const own = Object.entries(stanza.options).filter(([name]) => !(name in trackingOptions));
  return [
    subsection(title(stanza), paragraph(sentences.join(' '))),
    ...own.map(([name, option]) => optionEntry(name, option)),
  ];
}

function takesTracking({ options }: StanzaDefinition): boolean {
  return Object.keys(trackingOptions).every((name) => name in options);
}

function title({ id, name, label }: StanzaDefinition): string {
  if (id === 'global') return 'Outside of all stanzas';
  if (label === undefined) return name;
  const text = label.kind === 'name' ? '"NAME"' : label.kind === 'peer' ? '"NETWORK"' : '"ADDRESS"';
  return `${name} ${label.required ? text : `[${text}]`}`;
}

function nameOf(id: string): string {
  const stanza = stanzas.find((one) => one.id === id);
  return id === 'global' ? 'the top' : (stanza?.name ?? id);
}

function optionEntry(name: string, option: Definition): string {
  const { type, default: standard } = option;
  const otherwise =
    standard === undefined || typeof standard === 'function'
      ? option.otherwise
      : (type.write?.(standard) ?? shown(standard));
  const facts = [
    option.help,
    `Must be ${type.expects}.`,
    ...(otherwise === undefined ? [] : [`Default: ${otherwise}.`]),
    ...(option.since === undefined ? [] : [`Since ${option.since}.`]),
  ];
  return entry(name, facts.join(' '));
}

/** A value as it is written in the file. */
function shown(value: OptionValue): string {
  if (value === true) return 'on';
  if (value === false) return 'off';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(shown).join(', ');
  if (value instanceof Map) return 'none';
  return typeof value === 'string' ? `"${value}"` : String(value);
}
