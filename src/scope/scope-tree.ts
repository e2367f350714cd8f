import { parseNetwork } from '../lib/address.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { hostName } from '../lib/host-name.ts';
import { contextVariables } from './context-variables.ts';
import type { Facts } from './facts.ts';
import { listenKeys, parseListen } from './listen-address.ts';
import {
  type ListenerScope,
  lookUp,
  type Match,
  type Scope,
  ScopeMatch,
  type Scopes,
  type ScopeWithPeers,
} from './match.ts';
import type { Effective, OptionValue } from './option-value.ts';
import { hasSenderDomain } from './tracking-domain.ts';

const CACHED_FACTS = 8192;
const CACHED_MATCHES = 2048;
const LONGEST_CACHED_KEY = 1024;

/** The tracking scopes of one configuration. Immutable. */
export class ScopeTree {
  /**
   * Every domain that tracked links may have, including those from context variables of scopes and
   * those of `tracking_domains_allowed`.
   */
  readonly trackingDomains: ReadonlySet<string>;
  /** The names of these domains, without their ports. */
  readonly trackingHosts: ReadonlySet<string>;
  readonly #scopes: Scopes;
  readonly #byFacts = new BoundedCache<string, Match>(CACHED_FACTS);
  /** Facts with the same scopes share one match and its computed options. */
  readonly #byScopes = new BoundedCache<string, Match>(CACHED_MATCHES);

  constructor(scopes: Scopes) {
    this.#scopes = scopes;
    this.trackingDomains = trackingDomains(scopes);
    this.trackingHosts = new Set([...this.trackingDomains].map(hostName));
  }

  /** Finds the scopes that apply. Results are cached, within bounds. */
  match(facts: Facts): Match {
    const { listener = '', listen = '', peer = '', pathway = '' } = facts;
    const key = `${listener}\0${listen}\0${peer}\0${pathway}`;
    const known = this.#byFacts.get(key);
    if (known) return known;
    const found = this.#shared(this.#find(facts), pathway);
    if (key.length <= LONGEST_CACHED_KEY) this.#byFacts.set(key, found);
    return found;
  }

  hasPathway(name: string): boolean {
    return this.#scopes.pathways.has(name.toLowerCase());
  }

  /**
   * Finds what each option may be for a message of which only the pathway is known: the listener
   * and the client that it came from may matter, or a scope of the pathway decides without them.
   * @returns one value for each scope that may decide; the default where none has to
   */
  possibleSettings(pathway = ''): ReadonlyMap<string, readonly Effective[]> {
    const { listeners, pathways, defaults } = this.#scopes;
    const ofPathway = pathways.get(pathway.toLowerCase())?.scopes ?? [];
    const ofListeners = [...listenerScopes(listeners.values())];
    // It applies to all mail.
    const everywhere = listeners.get('');
    return new Map(
      [...defaults].map(([option, value]) => {
        const decided = lookUp(ofPathway, option);
        if (decided !== undefined) return [option, [decided]];
        const found = ofListeners.flatMap((scope) => lookUp([scope], option) ?? []);
        const isAlwaysSet = everywhere?.settings.has(option) === true;
        const byDefault: Effective = { value, origin: 'default', scope: '' };
        return [option, isAlwaysSet ? found : [...found, byDefault]];
      }),
    );
  }

  #find(facts: Facts): readonly Scope[] {
    const peer = facts.peer === undefined ? undefined : parseNetwork(facts.peer);
    const listen = facts.listen === undefined ? undefined : parseListen(facts.listen);
    const keys = listen ? listenKeys(listen) : [];
    const chain: Scope[] = [];
    const add = (scope: ScopeWithPeers) => {
      if (peer) chain.push(...scope.peers.covering(peer));
      chain.push(scope);
    };
    const name = facts.listener?.toLowerCase() ?? '';
    for (const listenerName of name === '' ? [''] : [name, '']) {
      const listener = this.#scopes.listeners.get(listenerName);
      if (!listener) continue;
      const best = keys.find((candidate) => listener.listens.has(candidate));
      const scope = best === undefined ? undefined : listener.listens.get(best);
      if (scope) add(scope);
      add(listener);
    }
    return chain;
  }

  #shared(chain: readonly Scope[], pathway: string): Match {
    const candidate = this.hasPathway(pathway) ? pathway.toLowerCase() : '';
    const key = `${candidate}\0${chain.map((scope) => scope.label).join('\0')}`;
    return this.#byScopes.getOrMake(
      key,
      () => new ScopeMatch(this.#scopes, chain, { fact: candidate }),
    );
  }
}

function trackingDomains(scopes: Scopes): ReadonlySet<string> {
  const { name, parse } = contextVariables.tracking_domain;
  const domains = new Set<string>();
  const add = (value: OptionValue | undefined) => {
    const domain = String(value ?? '');
    if (domain !== '' && !hasSenderDomain(domain)) domains.add(domain);
  };
  add(scopes.defaults.get('tracking_domain'));
  for (const { settings } of allScopes(scopes)) {
    add(settings.get('tracking_domain')?.value);
    const allowed = settings.get('tracking_domains_allowed')?.value;
    if (Array.isArray(allowed)) for (const domain of allowed) add(domain);
    const context = settings.get('context')?.value;
    const variable = context instanceof Map ? context.get(name) : undefined;
    add(variable === undefined ? undefined : parse(variable));
  }
  return domains;
}

function* listenerScopes(listeners: Iterable<ListenerScope>): Iterable<Scope> {
  for (const listener of listeners) {
    for (const scope of [listener, ...listener.listens.values()]) {
      yield scope;
      yield* scope.peers.values();
    }
  }
}

function* allScopes({ listeners, pathways }: Scopes): Iterable<Scope> {
  yield* listenerScopes(listeners.values());
  for (const pathway of pathways.values()) yield* pathway.scopes;
}
