import {
  DEFAULT_HOST,
  defaultPorts,
  httpOptions,
  milterOptions,
  socketOptions,
  webOptions,
} from './listener-options.ts';
import type { Definition, Definitions } from './option.ts';
import {
  engagementTrackerOptions,
  globalOptions,
  logOptions,
  macrosOptions,
  smtpapiOptions,
} from './service-options.ts';
import { eventsOptions, redisOptions, sealedOptions } from './store-options.ts';
import { enable, pathway, trackingOptions } from './tracking-options.ts';

/** One stanza: its name, its options, and the stanzas that may contain it. */
export interface StanzaDefinition {
  /** Distinguishes the two kinds of Listen. */
  readonly id: string;
  readonly name: string;
  readonly label?: {
    readonly kind: 'listen' | 'peer' | 'name';
    readonly required: boolean;
  };
  readonly options: Definitions;
  /** Ids of the stanzas that may contain it; `global` is the top level. */
  readonly within: readonly string[];
  /**
   * The options that a reload applies, in this stanza and its children. If absent, changes need a
   * restart.
   */
  readonly reloads?: 'all' | readonly string[];
  readonly description: string;
}

/** Where a listener listens that has no Listen, in a sentence. */
const withoutListen = (id: keyof typeof defaultPorts) =>
  `Without a Listen it listens at ${DEFAULT_HOST}:${defaultPorts[id]}.`;

/** All stanzas with their options. */
export const stanzas: readonly StanzaDefinition[] = [
  {
    id: 'global',
    name: 'global',
    options: globalOptions,
    within: [],
    description: 'Global options.',
  },
  {
    id: 'esmtp_listener',
    name: 'ESMTP_Listener',
    label: { kind: 'name', required: false },
    options: { ...trackingOptions, pathway, enable },
    within: ['global'],
    reloads: 'all',
    description:
      'An SMTP service of the MTA. With a name, it applies to the service of that name (Postfix: the host name, or milter_macro_daemon_name), and overrides the one without a name, which applies to any service.',
  },
  {
    id: 'listen',
    name: 'Listen',
    label: { kind: 'listen', required: true },
    options: { ...trackingOptions, pathway, enable },
    within: ['esmtp_listener'],
    description:
      'The address and port, or the unix path, at which the MTA accepted the connection. The best match is used: address and port, then "0.0.0.0:587" (every IPv4 address) or "[::]:587" (every IPv6 address, like "[*]:587"), then "*:587" (every address, like ":587").',
  },
  {
    id: 'peer',
    name: 'Peer',
    label: { kind: 'peer', required: true },
    options: { ...trackingOptions, pathway },
    within: ['esmtp_listener', 'listen'],
    description:
      'SMTP clients by address or network, such as "10.0.0.0/8". Where several match, the longest prefix comes first.',
  },
  {
    id: 'pathway_group',
    name: 'pathway_group',
    label: { kind: 'name', required: true },
    options: trackingOptions,
    within: ['global'],
    reloads: 'all',
    description: 'Pathways that share settings.',
  },
  {
    id: 'pathway',
    name: 'pathway',
    label: { kind: 'name', required: true },
    options: trackingOptions,
    within: ['global', 'pathway_group'],
    reloads: 'all',
    description:
      'Mail of one kind or of one customer, wherever it comes in. A context variable names the pathway of a message, else the pathway macro (see macros), else the option pathway.',
  },
  {
    id: 'milter_listener',
    name: 'Milter_Listener',
    options: { enable, ...milterOptions },
    within: ['global'],
    description: `The milter, to which the MTA connects. ${withoutListen('milter_listener')}`,
  },
  {
    id: 'http_listener',
    name: 'HTTP_Listener',
    options: { enable, ...httpOptions },
    within: ['global'],
    reloads: ['contact', 'pages'],
    description: `The redirect endpoint, which readers reach, usually through a web server with TLS. ${withoutListen('http_listener')}`,
  },
  {
    id: 'control_listener',
    name: 'Control_Listener',
    options: { enable },
    within: ['global'],
    description: `Health and metrics; keep them private. ${withoutListen('control_listener')}`,
  },
  {
    id: 'web_listener',
    name: 'Web_Listener',
    options: { enable, ...webOptions },
    within: ['global'],
    description: `The engagement page: who clicked what, for operators. There is no page without this stanza. ${withoutListen('web_listener')}`,
  },
  {
    id: 'socket',
    name: 'Listen',
    label: { kind: 'listen', required: true },
    options: { enable, ...socketOptions },
    within: ['milter_listener', 'http_listener', 'control_listener', 'web_listener'],
    description: 'An address and port to listen at, or the path of a unix socket.',
  },
  {
    id: 'redis',
    name: 'redis',
    options: redisOptions,
    within: ['global'],
    description:
      'The Redis of link_store = redis: one server, or sentinels, or the nodes of a cluster.',
  },
  {
    id: 'sealed',
    name: 'sealed',
    options: sealedOptions,
    within: ['global'],
    description:
      'Sealed links, which hold their own target, encrypted. Anyone with the keys can read and make links; without the keys, sealed links lead nowhere. All hosts that answer for the same links need the same key file, also with link_store = redis and on_failure = seal; the log and doctor report hosts whose keys differ.',
  },
  {
    id: 'events',
    name: 'events',
    options: eventsOptions,
    within: ['global'],
    reloads: ['automatic_when', 'automatic_networks'],
    description:
      'Click events: where they are kept and sent. They go to the Redis stream KEY_PREFIXevents, and to the journal where there is no Redis.',
  },
  {
    id: 'macros',
    name: 'macros',
    options: macrosOptions,
    within: ['global'],
    description:
      'The macros of the MTA by which scopes are matched. In a list, the first macro that is set is used.',
  },
  {
    id: 'smtpapi',
    name: 'smtpapi',
    options: smtpapiOptions,
    within: ['global'],
    reloads: 'all',
    description:
      'If present, X-MSYS-API headers are honoured, subject to accept_x_msys_api, and removed.',
  },
  {
    id: 'engagement_tracker',
    name: 'engagement_tracker',
    options: engagementTrackerOptions,
    within: ['global'],
    reloads: 'all',
    description: 'Metadata in click events.',
  },
  {
    id: 'log',
    name: 'log',
    options: logOptions,
    within: ['global'],
    reloads: ['level', 'detail'],
    description: 'The log.',
  },
];

/** The stanzas that a stanza may contain. */
export function childrenOf({ id }: StanzaDefinition): readonly StanzaDefinition[] {
  return stanzas.filter(({ within }) => within.includes(id));
}

export function sameName(stanza: StanzaDefinition, name: string): boolean {
  return stanza.name.toLowerCase() === name.toLowerCase();
}

export function definitionOf(id: string): StanzaDefinition {
  const found = stanzas.find((stanza) => stanza.id === id);
  if (!found) throw new RangeError(`no stanza ${id}`);
  return found;
}

export function optionOf({ options }: StanzaDefinition, name: string): Definition | undefined {
  return Object.hasOwn(options, name) ? options[name] : undefined;
}

export function allOptions(): readonly string[] {
  return stanzas.flatMap(({ options }) => Object.keys(options));
}

export function allStanzas(): readonly string[] {
  return stanzas.filter(({ within }) => within.length > 0).map(({ name }) => name);
}

export function placeName({ id, name }: StanzaDefinition): string {
  if (id === 'global') return 'the global scope';
  return id === 'socket' ? "Listen of clickmilter's own listeners" : name;
}

/** `A, B and C` */
export function places(scopes: readonly StanzaDefinition[]): string {
  const names = scopes.map(placeName);
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}

/** The stanzas in which an option is valid. */
export function scopesOf(option: string): readonly StanzaDefinition[] {
  return stanzas.filter((stanza) => optionOf(stanza, option));
}
