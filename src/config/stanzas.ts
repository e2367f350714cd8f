import { httpOptions, milterOptions, socketOptions } from './listener-options.ts';
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

/** What one stanza may be called, hold, and stand in. */
export interface StanzaDefinition {
  /** Tells the two kinds of Listen apart. */
  readonly id: string;
  readonly name: string;
  readonly label?: {
    readonly kind: 'listen' | 'peer' | 'name';
    readonly required: boolean;
  };
  readonly options: Definitions;
  /** Ids of the stanzas it may stand in; `global` is the top. */
  readonly within: readonly string[];
  readonly description: string;
}

/** THE list of stanzas and options. */
export const stanzas: readonly StanzaDefinition[] = [
  {
    id: 'global',
    name: 'global',
    options: globalOptions,
    within: [],
    description: 'What stands in no stanza.',
  },
  {
    id: 'esmtp_listener',
    name: 'ESMTP_Listener',
    label: { kind: 'name', required: false },
    options: { ...trackingOptions, pathway, enable },
    within: ['global'],
    description: 'An SMTP service of the MTA: the one of this name, or without a name any.',
  },
  {
    id: 'listen',
    name: 'Listen',
    label: { kind: 'listen', required: true },
    options: { ...trackingOptions, pathway, enable },
    within: ['esmtp_listener'],
    description: 'Where the MTA accepted the connection, such as "*:587".',
  },
  {
    id: 'peer',
    name: 'Peer',
    label: { kind: 'peer', required: true },
    options: { ...trackingOptions, pathway },
    within: ['esmtp_listener', 'listen'],
    description: 'Clients of the MTA by address or network, such as "10.0.0.0/8".',
  },
  {
    id: 'pathway_group',
    name: 'pathway_group',
    label: { kind: 'name', required: true },
    options: trackingOptions,
    within: ['global'],
    description: 'Pathways with something in common.',
  },
  {
    id: 'pathway',
    name: 'pathway',
    label: { kind: 'name', required: true },
    options: trackingOptions,
    within: ['global', 'pathway_group'],
    description: 'Mail of one kind or customer, wherever it comes in.',
  },
  {
    id: 'milter_listener',
    name: 'Milter_Listener',
    options: { enable, ...milterOptions },
    within: ['global'],
    description: 'The milter, which the MTA connects to; 127.0.0.1:8893 where no Listen is given.',
  },
  {
    id: 'http_listener',
    name: 'HTTP_Listener',
    options: { enable, ...httpOptions },
    within: ['global'],
    description:
      'The redirect endpoint, which recipients reach; 127.0.0.1:8080 where no Listen is given.',
  },
  {
    id: 'control_listener',
    name: 'Control_Listener',
    options: { enable },
    within: ['global'],
    description: 'Health and metrics, never public; 127.0.0.1:8894 where no Listen is given.',
  },
  {
    id: 'socket',
    name: 'Listen',
    label: { kind: 'listen', required: true },
    options: { enable, ...socketOptions },
    within: ['milter_listener', 'http_listener', 'control_listener'],
    description: 'An address and port to listen at, or the path of a unix socket.',
  },
  {
    id: 'redis',
    name: 'redis',
    options: redisOptions,
    within: ['global'],
    description: 'The server of link_store = "redis".',
  },
  {
    id: 'sealed',
    name: 'sealed',
    options: sealedOptions,
    within: ['global'],
    description: 'Links that hold their own target, encrypted.',
  },
  {
    id: 'events',
    name: 'events',
    options: eventsOptions,
    within: ['global'],
    description: 'Clicks: where they are kept and sent.',
  },
  {
    id: 'macros',
    name: 'macros',
    options: macrosOptions,
    within: ['global'],
    description: "Which of the MTA's macros the scopes are matched by; lists are tried in order.",
  },
  {
    id: 'smtpapi',
    name: 'smtpapi',
    options: smtpapiOptions,
    within: ['global'],
    description: 'Present, X-MSYS-API headers are read where accept_x_msys_api believes them.',
  },
  {
    id: 'engagement_tracker',
    name: 'engagement_tracker',
    options: engagementTrackerOptions,
    within: ['global'],
    description: 'Metadata in click events.',
  },
  {
    id: 'log',
    name: 'log',
    options: logOptions,
    within: ['global'],
    description: 'The log.',
  },
];

/** The stanzas that may stand in one. */
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
