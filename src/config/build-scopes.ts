import { parseNetwork } from '../lib/address.ts';
import { PrefixTable } from '../lib/prefix-table.ts';
import type { ListenerScope, Pathway, Scope, ScopeWithPeers } from '../scope/match.ts';
import type { OptionValue } from '../scope/option-value.ts';
import { ScopeTree } from '../scope/scope-tree.ts';
import { canonicalLabel } from './label.ts';
import { fieldsOf } from './option.ts';
import type { Stanza } from './stanza.ts';
import { pathway, trackingOptions } from './tracking-options.ts';

/** Builds the tracking scopes of the enabled stanzas. */
export function buildScopes(root: Stanza): ScopeTree {
  return new ScopeTree({
    listeners: new Map(
      enabled(root, 'esmtp_listener').map((stanza) => [nameOf(stanza), listenerScope(stanza)]),
    ),
    pathways: pathwaysOf(root),
    defaults: trackingDefaults,
    readOptions: (get) => fieldsOf(trackingOptions, get),
  });
}

/** Every option of a tracking scope with its default. */
const trackingDefaults: ReadonlyMap<string, OptionValue> = new Map(
  Object.entries({ ...trackingOptions, pathway }).map(([name, { default: value }]) => [
    name,
    value,
  ]),
);

function listenerScope(stanza: Stanza): ListenerScope {
  const listens = enabled(stanza, 'listen').map((listen): [string, ScopeWithPeers] => [
    canonicalLabel('listen', listen.label ?? '') ?? '',
    scopeWithPeers(listen),
  ]);
  return { ...scopeWithPeers(stanza), listens: new Map(listens) };
}

function scopeWithPeers(stanza: Stanza): ScopeWithPeers {
  const peers = new PrefixTable<Scope>();
  for (const peer of stanza.childrenOf('peer')) {
    const network = parseNetwork(peer.label ?? '');
    if (network) peers.set(network, scope(peer));
  }
  return { ...scope(stanza), peers };
}

/** The pathways by name in lower case. */
export function pathwaysOf(root: Stanza): ReadonlyMap<string, Pathway> {
  const pathways = new Map<string, Pathway>();
  for (const group of root.childrenOf('pathway_group')) {
    for (const stanza of group.childrenOf('pathway')) {
      const beside = root.child('pathway', nameOf(stanza));
      const chain = [stanza, beside, group].filter((link) => link !== undefined);
      pathways.set(nameOf(stanza), { name: stanza.label ?? '', scopes: chain.map(scope) });
    }
  }
  for (const stanza of root.childrenOf('pathway')) {
    if (pathways.has(nameOf(stanza))) continue;
    pathways.set(nameOf(stanza), { name: stanza.label ?? '', scopes: [scope(stanza)] });
  }
  return pathways;
}

function scope(stanza: Stanza): Scope {
  return { label: stanza.path, settings: stanza.settings };
}

function enabled(parent: Stanza, id: string): readonly Stanza[] {
  return parent.childrenOf(id).filter((stanza) => stanza.isEnabled);
}

function nameOf(stanza: Stanza): string {
  return canonicalLabel('name', stanza.label ?? '') ?? '';
}
