import { domainOf } from '../lib/text.ts';
import type { MessageFacts } from '../link/facts.ts';
import { type GivenUp, type LinkIssuer, StoreUnavailable } from '../link/link-store.ts';
import type { HeaderField } from '../message/header-fields.ts';
import type { RewrittenLink } from '../message/link.ts';
import { type OpenMessage, openMessage, type ReadingLimits } from '../message/open-message.ts';
import type { Limits } from '../milter/options.ts';
import { fromUtf8 } from '../milter/text.ts';
import type { MessageFieldLimits } from '../scope/context-variables.ts';
import { type Decision, decide } from '../scope/decide.ts';
import { type Facts, type MacroLookup, type MacroSettings, readFacts } from '../scope/facts.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import type { SentCounter } from '../store/store.ts';
import { exclusions } from './exclusions.ts';
import { messageFacts } from './message-facts.ts';
import type { MessageMemory } from './message-memory.ts';
import { ownDomains } from './own-domains.ts';
import type { MessageReport, Verdict, WhyUntouched } from './report.ts';
import { believes, contextOf } from './sender-macros.ts';
import { parseSmtpapi } from './smtpapi.ts';
import { trackLinks } from './track-links.ts';

/** What of the configuration a message needs. One transaction keeps to one snapshot. */
export interface FilterSettings {
  readonly scopes: ScopeTree;
  readonly macros: MacroSettings;
  /** Whether there is an `smtpapi` stanza. */
  readonly smtpapi: boolean;
  readonly engagementTracker: MessageFieldLimits & {
    readonly clickTrackingIncludeMetadata: boolean;
  };
  readonly reading: ReadingLimits;
  /** A message over one of these is not read: whoever would give it to a Transaction passes it on. */
  readonly limits: Pick<Limits, 'recipients' | 'headerCount' | 'headerBytes'>;
}

/** Where links come from and what is told about them. */
export interface FilterParts {
  readonly issuer: LinkIssuer;
  /** For `on_failure = seal`. */
  readonly sealed: LinkIssuer;
  readonly counter: SentCounter;
  /** Shared by all messages of the process; absent in commands, which read one message at a time. */
  readonly memory?: MessageMemory;
}

/** What is known at MAIL. */
export interface Envelope {
  /** The MTA's macros, by name without braces. */
  readonly macro: MacroLookup;
  /** Facts that are known otherwise, and count before those of the macros. */
  readonly facts?: Facts;
  /** Without angle brackets; empty is the null sender, undefined one that is not known. */
  readonly sender: string | undefined;
}

/** What the MTA is told before the body is sent. */
export type BeforeBody =
  | 'go on'
  /** Nothing can change any more: the message needs this filter no longer. */
  | 'accept'
  /** Only the header is to be changed. */
  | 'skip body'
  /** SMTP reply, code and enhanced code first. */
  | { readonly reject: string };

/** What happens to the message in the end. */
export interface Ending {
  /** The new body; absent where it stays. */
  readonly body?: readonly Buffer[];
  /** How many X-MSYS-API headers go. */
  readonly smtpapiHeaders: number;
  /** The message is to be offered again. */
  readonly tempfail: boolean;
}

/** What a recipient or a header field takes beside its own bytes, roughly. */
const ENTRY_BYTES = 100;

/** The header that X-MSYS-API is. */
export const SMTPAPI = 'x-msys-api';

/**
 * One message from MAIL to its end: facts, decision, links, tokens. Knows what is to be done, and nothing of the
 * milter protocol, so that `rewrite` and `explain` go the very same way as mail.
 */
export class Transaction {
  /** What the scopes were matched by. */
  readonly facts: Facts;
  readonly #settings: FilterSettings;
  readonly #parts: FilterParts;
  readonly #sender: string | undefined;
  /** As spelt; one named twice gets the message once. */
  readonly #recipients = new Set<string>();
  readonly #headers: HeaderField[] = [];
  readonly #smtpapi: string[] = [];
  readonly #variables: ReadonlyMap<string, string> | undefined;
  /** Whether an X-MSYS-API header would be obeyed, and is therefore removed. */
  readonly believed: boolean;
  readonly #start = performance.now();
  #decision: Decision;
  #open: OpenMessage | undefined;
  #bodySize = 0;
  /** Bytes of `memory` that are this message's. */
  #held = 0;
  #isOverMemory = false;

  constructor(settings: FilterSettings, parts: FilterParts, { macro, facts, sender }: Envelope) {
    this.#settings = settings;
    this.#parts = parts;
    this.#sender = sender;
    const lookup: MacroLookup = (name) =>
      name === 'sender_domain' ? domainOf(sender ?? '') : macro(name);
    this.facts = { ...readFacts(settings.macros, lookup, settings.scopes), ...facts };
    const match = settings.scopes.match(this.facts);
    this.#variables = contextOf(macro);
    this.#decision = decide(match, undefined, this.#variables, settings.engagementTracker);
    this.believed = settings.smtpapi && believes(this.#decision.options, macro);
  }

  /** How it stands now; changes when a believed X-MSYS-API header has been read. */
  get decision(): Decision {
    return this.#decision;
  }

  /** Whether it is known at MAIL already that nothing will be done. */
  get isOff(): boolean {
    return !this.believed && !this.#decision.options.clickTrackingEnabled;
  }

  recipient(address: string): void {
    if (this.#takes(address.length + ENTRY_BYTES)) this.#recipients.add(address);
  }

  header(field: HeaderField): void {
    if (!this.#takes(field.name.length + field.value.length + ENTRY_BYTES)) return;
    this.#headers.push(field);
    if (this.believed && field.name.length === SMTPAPI.length) {
      if (field.name.toLowerCase() === SMTPAPI) this.#smtpapi.push(fromUtf8(field.value));
    }
  }

  /** @returns what to tell the MTA, and the report of a message that is done with */
  endOfHeaders(): { readonly answer: BeforeBody; readonly report?: MessageReport } {
    if (this.#isOverMemory) return { answer: 'accept', report: this.report('untouched', 'memory') };
    if (this.#smtpapi.length > 0) {
      const limits = this.#settings.engagementTracker;
      const parsed = parseSmtpapi(this.#smtpapi, limits);
      if ('reject' in parsed) {
        const { reject: reply } = parsed;
        return this.#decision.options.dryRun
          ? { answer: 'accept', report: { ...this.report('dry-run', 'smtpapi'), reply } }
          : { answer: parsed, report: { ...this.report('rejected', 'smtpapi'), reply } };
      }
      this.#decision = decide(this.#decision.match, parsed.header, this.#variables, limits);
    }
    const reason = this.#whyNotToRead();
    if (reason === undefined) return { answer: 'go on' };
    this.#open = undefined;
    return {
      answer: this.#headersToRemove > 0 ? 'skip body' : 'accept',
      report: this.report('untouched', reason),
    };
  }

  /** @returns whether more of the body is wanted */
  body(chunk: Buffer): boolean {
    if (this.#open === undefined) return false;
    this.#bodySize += chunk.length;
    if (!this.#takes(chunk.length)) return false;
    this.#open.write(chunk);
    return this.#open.needsBody;
  }

  /**
   * Works out the new body and makes its links real. Never throws for a store that is away: `on_failure` says what then.
   * @param queueId the MTA's, known at the end at the latest
   * @param givenUp the MTA waits no longer
   * @returns what to do, and the report of a message that was read
   */
  async end(
    queueId: string | undefined,
    givenUp?: GivenUp,
  ): Promise<Ending & { readonly report?: MessageReport }> {
    const smtpapiHeaders = this.#headersToRemove;
    const { options } = this.#decision;
    const untouched = (reason: WhyUntouched, links: readonly RewrittenLink[]) => ({
      smtpapiHeaders,
      tempfail: false,
      report: this.report('untouched', reason, { links }),
    });
    if (this.#isOverMemory) return untouched('memory', []);
    const read = this.#open?.end();
    if (read === undefined) return { smtpapiHeaders, tempfail: false };

    if (read.reason !== undefined) return untouched(read.reason, []);

    const facts = this.#facts(queueId);
    let made = await trackLinks(read, this.#parts.issuer, facts, options);
    const nothing = () =>
      untouched(made.links.length > 0 ? 'nothing-to-track' : 'no-links', made.links);
    if (made.body === undefined) return nothing();
    // It is held until the store has answered.
    if (!this.#takes(this.#bodySize)) return untouched('memory', made.links.map(asFound));
    if (options.dryRun) {
      const report = this.report('dry-run', undefined, { ...made, facts });
      return { smtpapiHeaders, tempfail: false, report };
    }
    try {
      await made.issued?.commit(givenUp);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (options.onFailure === 'tempfail') {
        const report = this.report('tempfailed', 'store-unavailable', {
          links: made.links.map(asFound),
        });
        return { smtpapiHeaders, tempfail: true, report };
      }
      if (options.onFailure === 'accept') {
        return untouched('store-unavailable', made.links.map(asFound));
      }
      made = await trackLinks(read, this.#parts.sealed, facts, options);
      if (made.body === undefined) return nothing();
      await made.issued?.commit(givenUp);
    }
    if (made.issued !== undefined) this.#count(facts, made.links);
    return {
      smtpapiHeaders,
      tempfail: false,
      body: made.body,
      report: this.report('tracked', undefined, { ...made, facts }),
    };
  }

  /** Gives back the memory the message held. Call it once the message needs this filter no longer; calling it again is harmless. */
  close(): void {
    this.#parts.memory?.release(this.#held);
    this.#held = 0;
    this.#open = undefined;
  }

  /** The report as it would be now. */
  report(
    verdict: Verdict,
    reason?: WhyUntouched,
    made?: { links: readonly RewrittenLink[]; kind?: 'stored' | 'sealed'; facts?: MessageFacts },
  ): MessageReport {
    const { match, problems, notDone, campaignId } = this.#decision;
    const [scope] = match.chain();
    return {
      verdict,
      links: made?.links ?? [],
      bodySize: this.#bodySize,
      milliseconds: performance.now() - this.#start,
      problems,
      ...(notDone.length > 0 && { notDone }),
      ...(reason !== undefined && { reason }),
      ...(scope !== undefined && { scope }),
      ...(campaignId !== undefined && { campaignId }),
      ...(match.pathway !== undefined && { pathway: match.pathway }),
      ...(made?.kind !== undefined && { kind: made.kind }),
      ...(made?.facts !== undefined && { messageId: made.facts.messageId }),
    };
  }

  /** @returns false once the process holds as much as it may: then the message is let go, and sent on untouched */
  #takes(bytes: number): boolean {
    if (this.#isOverMemory) return false;
    const { memory } = this.#parts;
    if (memory === undefined) return true;
    if (memory.take(bytes)) {
      this.#held += bytes;
      return true;
    }
    this.#isOverMemory = true;
    this.close();
    this.#headers.length = 0;
    this.#recipients.clear();
    return false;
  }

  get #headersToRemove(): number {
    return this.#decision.options.dryRun ? 0 : this.#smtpapi.length;
  }

  #whyNotToRead(): WhyUntouched | undefined {
    const { options } = this.#decision;
    if (!options.clickTrackingEnabled) return 'off';
    if (this.#sender === '') return 'null-sender';
    if (options.recipients === 'single' && this.#recipients.size !== 1) {
      return 'several-recipients';
    }
    for (const address of this.#recipients) {
      if (options.excludeRecipients.matches(address)) return 'excluded-recipient';
    }
    this.#open = openMessage(this.#headers, {
      limits: this.#settings.reading,
      rewriteSigned: options.rewriteSigned,
      excludeSelectors: options.excludeSelectors,
      trackUrlText: options.trackUrlText,
      placeholders: options.placeholders,
      ownDomains: ownDomains(this.#settings.scopes, options),
      ...exclusions(options),
    });
    return this.#open.needsBody ? undefined : this.#open.reason;
  }

  #facts(queueId: string | undefined): MessageFacts {
    const { metadata, ...facts } = messageFacts(
      {
        queueId,
        sender: this.#sender ?? '',
        recipients: [...this.#recipients],
        headers: this.#headers,
        bodySize: this.#bodySize,
      },
      this.#decision,
      Date.now(),
    );
    const wanted = this.#settings.engagementTracker.clickTrackingIncludeMetadata;
    return wanted && metadata !== undefined ? { ...facts, metadata } : facts;
  }

  #count({ injectionTime, campaignId, pathway }: MessageFacts, links: readonly RewrittenLink[]) {
    this.#parts.counter.sent({
      day: new Date(injectionTime * 1000).toISOString().slice(0, 10),
      links: links.reduce((count, link) => count + Number(link.tracked), 0),
      ...(campaignId !== undefined && { campaign: campaignId }),
      ...(pathway !== undefined && { pathway }),
    });
  }
}

/** A link that would have been tracked, and in the end was not. */
function asFound({ url: _, ...link }: RewrittenLink): RewrittenLink {
  return { ...link, tracked: false };
}
