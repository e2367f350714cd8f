import { contextVariables } from '../scope/context-variables.ts';
import type { Facts } from '../scope/facts.ts';
import type { Match, Pathway } from '../scope/match.ts';
import type { Effective, OptionValue } from '../scope/option-value.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import { pathwaysOf } from './build-scopes.ts';
import type { Stanza } from './stanza.ts';

/** The settings by which some mail is tracked, and the domain of its links. */
export interface TrackedMail {
  readonly enabled: Effective;
  readonly scheme: Effective;
  readonly domain: Effective;
}

/** The mail that an enabled scope of a listener matches. */
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

/** A name that no configured pathway can have. */
const NO_PATHWAY = ' ';

/**
 * Every scope of a listener, alone and with each pathway. Scopes that differ only in their domain
 * are represented by one of them where the pathway sets the domain, and pathways likewise:
 * thousands of both would be millions of pairs.
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
 * Mail whose links lead to the default domain. A configuration does not say which pathways arrive
 * at which listener, so pathways count only where no listener sets a domain.
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

/**
 * The filter's decision for a message without header and macros: one result, or none if it is not
 * tracked.
 */
function tracked(scopes: ScopeTree, facts: Facts): readonly TrackedMail[] {
  const match = scopes.match(facts);
  const enabled = effective(match, 'click_tracking_enabled');
  if (enabled.value !== true) return [];
  const scheme = effective(match, 'click_tracking_scheme');
  return [{ enabled, scheme, domain: effective(match, 'tracking_domain') }];
}

/**
 * The value of an option, which a context variable overrides. `decide` has the same rule, but
 * compiles all patterns.
 */
function effective(match: Match, option: Decisive): Effective {
  const context = match.get('context');
  const value = variable(context.value, option);
  return value === undefined ? match.get(option) : { ...context, value };
}

function variable(context: OptionValue | undefined, option: Decisive): OptionValue | undefined {
  const { name, parse } = contextVariables[option];
  const text = context instanceof Map ? context.get(name) : undefined;
  return text ? parse(text) : undefined;
}

/** Whether the place itself chooses the pathway of all of its mail. */
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

/**
 * A key of the settings that decide whether mail is tracked and its scheme, and whether they set a
 * domain.
 */
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
