import { type Definition, type StanzaDefinition, stanzas } from '../config/options.ts';
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
          'most specific one decides: the longest matching Peer, then Listen, then ESMTP_Listener; and before them the ' +
          "message's pathway. clickmilter explain shows the value in effect and the line it comes from.",
      ),
      example(SHORTEST),
    ),
    section('STANZAS AND OPTIONS', ...stanzas.flatMap(stanzaEntries)),
    section(
      'FILES',
      entry('/etc/clickmilter/clickmilter.conf', 'Where clickmilter looks, if --config names no other.'),
    ),
    section('SEE ALSO', '.BR clickmilter (8)\n'),
  ].join('');
}

function stanzaEntries(stanza: StanzaDefinition): string[] {
  const places = stanza.within.map(nameOf).join(', ');
  const inside = places === '' ? '' : ` In: ${places}.`;
  return [
    subsection(title(stanza), paragraph(`${stanza.description}${inside}`)),
    ...Object.entries(stanza.options).map(([name, option]) => optionEntry(name, option)),
  ];
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
  const standard =
    option.default === undefined ? option.otherwise : `default ${shown(option.default)}`;
  const facts = [option.type.expects, standard].filter((fact) => fact !== undefined).join('; ');
  return entry(name, `${option.description} (${facts})`);
}

/** A value as it is written in the file. */
function shown(value: OptionValue): string {
  if (value === true) return 'on';
  if (value === false) return 'off';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(shown).join(', ');
  if (value instanceof Map) return 'none';
  return typeof value === 'string' ? `"${value}"` : String(value);
}
