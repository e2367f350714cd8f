import { contextVariables } from '../scope/context-variables.ts';
import type { Facts } from '../scope/facts.ts';
import type { Match } from '../scope/match.ts';
import type { Effective } from '../scope/option-value.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import type { Stanza } from './stanza.ts';

/** What tracks the links of some mail, and where they lead. */
export interface TrackedMail {
  readonly enabled: Effective;
  readonly scheme: Effective;
  readonly domain: Effective;
}

/** The mail that an enabled scope of a listener stands for. */
interface Place {
  readonly stanza: Stanza;
  readonly facts: Facts;
}

const factOf: Readonly<Record<string, keyof Facts>> = {
  esmtp_listener: 'listener',
  listen: 'listen',
  peer: 'peer',
};

/** Every scope of a listener as `explain` would be asked for it, and every pathway at each of them. */
export function* trackedMail(root: Stanza, scopes: ScopeTree): Iterable<TrackedMail> {
  const pathways = pathwaysOf(root);
  for (const facts of [{}, ...[...placesOf(root)].map((place) => place.facts)]) {
    for (const pathway of ['', ...pathways]) yield* tracked(scopes, { ...facts, pathway });
  }
}

/**
 * Mail whose links lead to the default domain. Which pathways come in at which listener, no configuration
 * says: they count only where no listener has a domain for them.
 */
export function* trackedToDefault(root: Stanza, scopes: ScopeTree): Iterable<TrackedMail> {
  const places = [...placesOf(root)];
  const pathways = places.some(({ stanza }) => namesDomain(stanza)) ? [] : pathwaysOf(root);
  const mail: Facts[] = [
    ...places.map(({ facts }) => facts),
    ...pathways.map((pathway) => ({ pathway })),
  ];
  for (const found of mail.flatMap((facts) => tracked(scopes, facts))) {
    if (found.domain.origin === 'default') yield found;
  }
}

/** As the filter decides of a message that brings nothing of its own: one, or none where it is not tracked. */
function tracked(scopes: ScopeTree, facts: Facts): readonly TrackedMail[] {
  const match = scopes.match(facts);
  const enabled = effective(match, 'click_tracking_enabled');
  if (enabled.value !== true) return [];
  const scheme = effective(match, 'click_tracking_scheme');
  return [{ enabled, scheme, domain: effective(match, 'tracking_domain') }];
}

/** A context variable goes before the option. (`decide` says the same, but compiles all patterns of each scope for it.) */
function effective(
  match: Match,
  option: 'click_tracking_enabled' | 'click_tracking_scheme' | 'tracking_domain',
): Effective {
  const { name, parse } = contextVariables[option];
  const context = match.get('context');
  const text = context.value instanceof Map ? context.value.get(name) : undefined;
  const value = text ? parse(text, { maxMetadataLen: 0 }) : undefined;
  return value === undefined ? match.get(option) : { ...context, value };
}

function* placesOf(parent: Stanza, within: Facts = {}): Iterable<Place> {
  for (const stanza of parent.children) {
    const fact = factOf[stanza.definition.id];
    if (fact === undefined || !stanza.isEnabled) continue;
    const facts = { ...within, [fact]: stanza.label ?? '' };
    yield { stanza, facts };
    yield* placesOf(stanza, facts);
  }
}

function pathwaysOf(root: Stanza): readonly string[] {
  return [root, ...root.childrenOf('pathway_group')]
    .flatMap((parent) => parent.childrenOf('pathway'))
    .map(({ label = '' }) => label);
}

function namesDomain({ settings }: Stanza): boolean {
  const context = settings.get('context')?.value;
  const { name } = contextVariables.tracking_domain;
  return settings.has('tracking_domain') || (context instanceof Map && context.has(name));
}
