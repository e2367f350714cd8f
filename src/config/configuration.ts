import { resolve } from 'node:path';
import { buildScopes } from './build-scopes.ts';
import { listenAddresses } from './listen-addresses.ts';
import { httpOptions, milterOptions, webOptions } from './listener-options.ts';
import type { DefaultContext, Definitions, Fields } from './option.ts';
import {
  defaultStateDirectory,
  engagementTrackerOptions,
  globalOptions,
  logOptions,
  macrosOptions,
} from './service-options.ts';
import { settingsOf } from './settings.ts';
import { type Stanza, stanzaFields } from './stanza.ts';
import { eventsOptions, redisOptions, sealedOptions } from './store-options.ts';

/**
 * The whole configuration: typed, every default applied, paths absolute. Its fields are the options
 * of the tables: `redis { key_prefix }` is `redis.keyPrefix`, and durations end in `Ms`.
 */
export interface Configuration extends ReturnType<typeof buildConfiguration> {}

/** What defaults depend on. */
export function contextOf(root: Stanza, file: string): DefaultContext {
  const directory = root.settings.get('state_directory')?.value;
  return { file, stateDirectory: String(directory ?? defaultStateDirectory(file)) };
}

/** @param root a configuration without errors */
export function buildConfiguration(root: Stanza, file: string) {
  const context = contextOf(root, file);
  const fields = <const D extends Definitions>(definitions: D, id: string): Fields<D> =>
    stanzaFields(definitions, root.child(id), context);
  return {
    /** The configuration file, absolute. */
    file: resolve(file),
    scopes: buildScopes(root),
    ...stanzaFields(globalOptions, root, context),
    milter: {
      listen: listenAddresses(root, 'milter_listener', context),
      ...fields(milterOptions, 'milter_listener'),
    },
    http: {
      listen: listenAddresses(root, 'http_listener', context),
      ...fields(httpOptions, 'http_listener'),
    },
    control: { listen: listenAddresses(root, 'control_listener', context) },
    web: {
      listen: listenAddresses(root, 'web_listener', context),
      ...fields(webOptions, 'web_listener'),
    },
    redis: fields(redisOptions, 'redis'),
    sealed: fields(sealedOptions, 'sealed'),
    events: fields(eventsOptions, 'events'),
    macros: fields(macrosOptions, 'macros'),
    /** Whether there is an `smtpapi` stanza. */
    smtpapi: root.child('smtpapi') !== undefined,
    engagementTracker: fields(engagementTrackerOptions, 'engagement_tracker'),
    log: fields(logOptions, 'log'),
    /** The settings in the file, without defaults. */
    settings: () => settingsOf(root),
  };
}
