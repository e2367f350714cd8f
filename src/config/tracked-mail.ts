import { contextVariables } from '../scope/context-variables.ts';
import type { Facts } from '../scope/facts.ts';
import type { Match, Pathway } from '../scope/match.ts';
import type { Effective, OptionValue } from '../scope/option-value.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import { pathwaysOf } from './build-scopes.ts';
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

type Decisive = 'click_tracking_enabled' | 'click_tracking_scheme' | 'tracking_domain';

/** No pathway can be configured by this name. */
const NO_PATHWAY = ' ';

/**
 * Every scope of a listener as `explain` would be asked for it, and pathways at each of them. Of scopes that differ in
 * nothing but their domain one stands for all others where the domain is the pathway's, and the other way round:
 * thousands of both are millions of pairs.
 */
export function* trackedMail(root: Stanza, scopes: ScopeTree): Iterable<TrackedMail> {
  const places: Facts[] = [{}, ...[...placesOf(root)].map(({ facts }) => facts)];
  for (const facts of places) yield* tracked(scopes, facts);

  const pathways = [...pathwaysOf(root).values()];
  const open = places.filter((facts) => !choosesPathway(scopes.match(facts)));
  const pairs = [
    [onePerKind(open, (facts) => kindOfPlace(scopes.match(facts))), pathways],
    [open, onePerKind(pathways, kindOfPathway)],
  ] as const;
  for (const [somePlaces, somePathways] of pairs) {
    for (const facts of somePlaces) {
      for (const { name } of somePathways) yield* tracked(scopes, { ...facts, pathway: name });
    }
  }
}

/**
 * Mail whose links lead to the default domain. Which pathways come in at which listener, no configuration
 * says: they count only where no listener has a domain for them.
 */
export function* trackedToDefault(root: Stanza, scopes: ScopeTree): Iterable<TrackedMail> {
  const places = [...placesOf(root)];
  const pathways = places.some(({ stanza }) => namesDomain(stanza))
    ? []
    : pathwaysOf(root).values();
  const mail: Facts[] = [
    ...places.map(({ facts }) => facts),
    ...[...pathways].map(({ name }) => ({ pathway: name })),
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
function effective(match: Match, option: Decisive): Effective {
  const context = match.get('context');
  const value = variable(context.value, option);
  return value === undefined ? match.get(option) : { ...context, value };
}

function variable(context: OptionValue | undefined, option: Decisive): OptionValue | undefined {
  const { name, parse } = contextVariables[option];
  const text = context instanceof Map ? context.get(name) : undefined;
  return text ? parse(text, { maxMetadataLen: 0 }) : undefined;
}

/** Whether one pathway has all mail that comes in there. */
function choosesPathway(place: Match): boolean {
  return place.pathwayBy?.kind === 'context';
}

function kindOfPlace(place: Match): string {
  const own = place.withPathway(NO_PATHWAY);
  return kindOf((option) => {
    const { value, origin } = own.get(option);
    return origin === 'default' ? undefined : value;
  });
}

function kindOfPathway({ scopes }: Pathway): string {
  return kindOf((option) => {
    const scope = scopes.find(({ settings }) => settings.has(option));
    return scope?.settings.get(option)?.value;
  });
}

/** What settings decide of whether mail is tracked and of the scheme; of the domain, only whether they have one. */
function kindOf(get: (option: Decisive | 'context') => OptionValue | undefined): string {
  const context = get('context');
  const values = (option: Decisive) => [get(option), variable(context, option)];
  return JSON.stringify([
    context !== undefined,
    values('click_tracking_enabled'),
    values('click_tracking_scheme'),
    values('tracking_domain').map((domain) => domain !== undefined),
  ]);
}

function onePerKind<T>(all: readonly T[], kind: (one: T) => string): readonly T[] {
  return [...new Map(all.map((one) => [kind(one), one])).values()];
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

function namesDomain({ settings }: Stanza): boolean {
  const context = settings.get('context')?.value;
  const { name } = contextVariables.tracking_domain;
  return settings.has('tracking_domain') || (context instanceof Map && context.has(name));
}
