import { isRecord } from '../lib/values.ts';
import {
  type ContextVariable,
  contextVariables,
  type MessageFieldLimits,
  type MessageFields,
} from './context-variables.ts';
import type { Match } from './match.ts';
import type { Effective, OptionValue } from './option-value.ts';
import { hasSenderDomain, withSenderDomain } from './tracking-domain.ts';
import type { TrackingOptions } from './tracking-options.ts';

/** The requests of an X-MSYS-API header that is honoured. */
export interface SmtpapiHeader extends MessageFields {
  readonly clickTracking?: boolean;
  /** Rejected values, as sentences for the log. */
  readonly problems?: readonly string[];
  /** Fields that clickmilter does not implement. */
  readonly notDone?: readonly string[];
}

/** The wishes in the header fields of a sender: X-MSYS-API, and those of other vendors. */
export interface SenderWishes extends SmtpapiHeader {
  readonly clickTrackingParts?: TrackingOptions['clickTrackingParts'];
  /** The header of another vendor that asked for a field above, by the field's name. */
  readonly askedBy?: ReadonlyMap<string, string>;
  /** Header fields of other vendors, and parts of them, that clickmilter does not implement. */
  readonly notDoneHeaders?: readonly string[];
}

/** The source of a value. */
export type Decider =
  /** An MTA macro that has the name of a context variable. */
  | { readonly kind: 'macro'; readonly name: string }
  /** A fact, found by the `macros` stanza. */
  | { readonly kind: 'fact'; readonly name: string }
  | { readonly kind: 'context'; readonly name: string; readonly setting: Effective }
  /** A field of the X-MSYS-API header. */
  | { readonly kind: 'header'; readonly field: string }
  /** A header of another vendor (`accept_headers`). */
  | { readonly kind: 'vendor'; readonly header: string }
  | { readonly kind: 'configuration'; readonly setting: Effective };

interface Reason {
  readonly value: OptionValue;
  readonly from: Decider;
}

/**
 * How one message is tracked. A context variable goes before X-MSYS-API, which goes before the
 * configuration.
 */
export interface Decision {
  /** The match, with the pathway that a context variable may have named. */
  readonly match: Match;
  readonly options: TrackingOptions;
  /**
   * The tracking domain of the sender, if `tracking_domains_allowed` does not have it: the message
   * is not tracked. It is the value of the option where the sender has no domain.
   */
  readonly refusedDomain?: string;
  readonly message: MessageFields;
  /** Values that were ignored because they are invalid or too long, as sentences for the log. */
  readonly problems: readonly string[];
  /** Fields of X-MSYS-API that clickmilter does not implement. */
  readonly notDone: readonly string[];
  /** Header fields of other vendors, and parts of them, that clickmilter does not implement. */
  readonly notDoneHeaders: readonly string[];
  /** The source of each option, and of each field of the message that is set. */
  reasons(): ReadonlyMap<string, Reason>;
}

const noMacros: ReadonlyMap<string, string> = new Map();

/** The decisions that depend on nothing but the match, which are most. */
const byConfiguration = new WeakMap<Match, Decision>();

/**
 * Decides how one message is tracked. Without header, macros and {sender_domain}, the decision is
 * the same object for all messages of a match.
 * @param macros the MTA's macros that have the name of a context variable, without braces. They are
 * about this message, so they go before the variables of the `context` option
 * @param senderDomain of the envelope sender
 */
export function decide(
  match: Match,
  header: SenderWishes | undefined,
  macros: ReadonlyMap<string, string> = noMacros,
  limits: MessageFieldLimits,
  senderDomain?: string,
): Decision {
  if (header !== undefined || macros.size > 0 || hasSenderDomain(match.options.trackingDomain)) {
    return new MessageDecision(match, header ?? {}, macros, limits, senderDomain);
  }
  let decision = byConfiguration.get(match);
  if (!decision) {
    decision = new MessageDecision(match, {}, noMacros, limits);
    byConfiguration.set(match, decision);
  }
  return decision;
}

type VariableName = keyof typeof contextVariables;
type Value = NonNullable<ReturnType<(typeof contextVariables)[VariableName]['parse']>>;

const variableNames = Object.keys(contextVariables) as VariableName[];

class MessageDecision implements Decision {
  readonly match: Match;
  readonly options: TrackingOptions;
  readonly refusedDomain?: string;
  readonly problems: string[];
  readonly notDone: readonly string[];
  readonly notDoneHeaders: readonly string[];
  readonly message: MessageFields;
  /** The parts that a header asks for. */
  readonly #parts: Reason | undefined;
  /** The values that header, macros and context variables set. */
  readonly #decided = new Map<VariableName, { readonly value: Value; readonly from: Decider }>();

  constructor(
    match: Match,
    header: SenderWishes,
    macros: ReadonlyMap<string, string>,
    limits: MessageFieldLimits,
    senderDomain?: string,
  ) {
    this.problems = [...(header.problems ?? [])];
    this.notDone = header.notDone ?? [];
    this.notDoneHeaders = header.notDoneHeaders ?? [];
    const { clickTrackingParts: parts, askedBy } = header;
    const by = askedBy?.get('clickTrackingParts') ?? '';
    this.#parts = parts && { value: parts, from: { kind: 'vendor', header: by } };
    const pathway = macros.get('pathway');
    this.match = pathway ? match.withPathway(pathway) : match;
    this.#readHeader(header);
    this.#readVariables(macros, limits);
    this.message = this.#valuesFor('field');
    const overrides = {
      ...this.#valuesFor('option'),
      ...(parts && { clickTrackingParts: parts }),
    };
    const { options } = this.match;
    this.options = Object.keys(overrides).length === 0 ? options : { ...options, ...overrides };
    const { trackingDomain, trackingDomainsAllowed } = this.options;
    if (!hasSenderDomain(trackingDomain)) return;
    const domain = senderDomain && withSenderDomain(trackingDomain, senderDomain);
    if (domain && trackingDomainsAllowed.has(domain)) {
      this.options = { ...this.options, trackingDomain: domain };
    } else {
      this.refusedDomain = domain || trackingDomain;
    }
  }

  reasons(): ReadonlyMap<string, Reason> {
    const reasons = new Map<string, Reason>();
    for (const [option, setting] of this.match.settings()) {
      const value = option === 'tracking_domain' ? this.options.trackingDomain : setting.value;
      reasons.set(option, { value, from: { kind: 'configuration', setting } });
    }
    for (const [name, { value, from }] of this.#decided) {
      reasons.set(name, { value: isRecord(value) ? JSON.stringify(value) : value, from });
    }
    if (this.#parts) reasons.set('click_tracking_parts', this.#parts);
    const from = this.#pathwayDecider();
    if (from) reasons.set('pathway', { value: this.match.pathway ?? '', from });
    return reasons;
  }

  #pathwayDecider(): Decider | undefined {
    const by = this.match.pathwayBy;
    switch (by?.kind) {
      case 'name':
        return macroNamed('pathway');
      case 'context':
        return { kind: 'context', name: 'pathway', setting: by.setting };
      case 'fact':
        return { kind: 'fact', name: 'pathway' };
      default:
        return undefined;
    }
  }

  /** The decided values, by the names that options or fields of the message have in the program. */
  #valuesFor(target: 'option' | 'field'): Readonly<Record<string, Value>> {
    const values: Record<string, Value> = {};
    for (const [name, { value }] of this.#decided) {
      const { [target]: key }: ContextVariable = contextVariables[name];
      if (key !== undefined) values[key] = value;
    }
    return values;
  }

  #readHeader(header: SenderWishes): void {
    const { clickTracking, askedBy } = header;
    const from = (wish: string, field: string): Decider => {
      const vendor = askedBy?.get(wish);
      return vendor ? { kind: 'vendor', header: vendor } : { kind: 'header', field };
    };
    if (clickTracking !== undefined) {
      this.#decided.set('click_tracking_enabled', {
        value: clickTracking,
        from: from('clickTracking', 'options.click_tracking'),
      });
    }
    for (const name of variableNames) {
      const { field }: ContextVariable = contextVariables[name];
      const value = field && header[field];
      if (field && value !== undefined) this.#decided.set(name, { value, from: from(field, name) });
    }
  }

  #readVariables(macros: ReadonlyMap<string, string>, limits: MessageFieldLimits): void {
    const { context } = this.match.options;
    if (context.size === 0 && macros.size === 0) return;
    for (const key of variableNames) {
      const { name } = contextVariables[key];
      const isSet = this.#readVariable(key, macros.get(name), () => macroNamed(name), limits);
      if (isSet) continue;
      const byContext = (): Decider => ({
        kind: 'context',
        name,
        setting: this.match.get('context'),
      });
      this.#readVariable(key, context.get(name), byContext, limits);
    }
  }

  /** @returns whether the text is a value of the variable */
  #readVariable(
    key: VariableName,
    text: string | undefined,
    from: () => Decider,
    limits: MessageFieldLimits,
  ): boolean {
    if (!text) return false;
    const { name, parse, expected } = contextVariables[key];
    const value = parse(text, limits);
    if (value === undefined) {
      this.problems.push(`context variable ${name} ignored: it must be ${expected}`);
      return false;
    }
    this.#decided.set(key, { value, from: from() });
    return true;
  }
}

function macroNamed(name: string): Decider {
  return { kind: 'macro', name };
}
