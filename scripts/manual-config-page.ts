import type { Definition } from '../src/config/option.ts';
import {
  definitionOf,
  placeName,
  places,
  type StanzaDefinition,
  stanzas,
} from '../src/config/stanzas.ts';
import { trackingOptions } from '../src/config/tracking-options.ts';
import {
  defaultText,
  GRAMMAR,
  ownOptions,
  PRECEDENCE,
  stanzaTitle,
  trackingScopes,
} from './reference.ts';
import { entry, example, heading, paragraph, section, subsection } from './roff.ts';

const SHORTEST = `Milter_Listener { Listen "127.0.0.1:8893" { } }
HTTP_Listener { Listen "127.0.0.1:8080" { } }

ESMTP_Listener {
  tracking_domain = "click.example.com"
  click_tracking_scheme = "https"
  Peer "10.0.0.0/8" { click_tracking_enabled = on }
}`;

/** clickmilter.conf(5), from the tables of stanzas and options. */
export function configPage(version: string, date: string): string {
  return [
    heading('clickmilter.conf', 5, version, date),
    section('NAME', 'clickmilter.conf \\- configuration of clickmilter\n'),
    section('DESCRIPTION', ...[...GRAMMAR, PRECEDENCE].map(paragraph), example(SHORTEST)),
    section(
      'STANZAS AND OPTIONS',
      subsection('Tracking options', paragraph(`They are valid in ${places(trackingScopes)}.`)),
      ...Object.entries(trackingOptions).map(([name, option]) => optionEntry(name, option)),
      ...stanzas.flatMap(stanzaEntries),
    ),
    section(
      'FILES',
      entry(
        '/etc/clickmilter/clickmilter.conf',
        'The configuration, unless --config names another.',
      ),
    ),
    section('SEE ALSO', '.BR clickmilter (8)\n'),
  ].join('');
}

function stanzaEntries(stanza: StanzaDefinition): string[] {
  const { id, within } = stanza;
  const sentences = [
    stanza.description,
    ...(id === 'global' ? [] : [`It stands in ${places(within.map(definitionOf))}.`]),
    ...(trackingScopes.includes(stanza) ? ['It takes the tracking options.'] : []),
  ];
  return [
    subsection(
      id === 'global' ? placeName(stanza) : stanzaTitle(stanza),
      paragraph(sentences.join(' ')),
    ),
    ...Object.entries(ownOptions(stanza)).map(([name, option]) => optionEntry(name, option)),
  ];
}

function optionEntry(name: string, option: Definition): string {
  const standard = defaultText(option);
  const facts = [
    option.help,
    `Must be ${option.type.expects}.`,
    ...(standard === undefined ? [] : [`Default: ${standard}.`]),
    ...(option.since === undefined ? [] : [`Since ${option.since}.`]),
  ];
  return entry(name, facts.join(' '));
}
