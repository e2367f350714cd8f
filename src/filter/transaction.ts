import { domainOf } from '../lib/text.ts';
import { countedFacts } from '../link/counted.ts';
import { type GivenUp, StoreUnavailable } from '../link/link-store.ts';
import type { MessageFacts } from '../link/message-facts.ts';
import type { HeaderField } from '../message/header-fields.ts';
import type { RewrittenLink } from '../message/link.ts';
import { type OpenMessage, openMessage, type ReadMessage } from '../message/open-message.ts';
import { readContextVariables } from '../scope/context-variables.ts';
import { type Decision, decide, type SenderWishes } from '../scope/decide.ts';
import { type Facts, type MacroLookup, readFacts } from '../scope/facts.ts';
import type { Match } from '../scope/match.ts';
import { messageFacts } from './message-facts.ts';
import { MessageLimits } from './message-limits.ts';
import { MemoryShare } from './message-memory.ts';
import type { FilterParts, FilterSettings } from './options.ts';
import type { MessageReport, Verdict, WhyUntouched } from './report.ts';
import { SenderHeaders } from './sender-headers.ts';
import { isBelieved } from './smtpapi.ts';
import { htmlForPreview, readingOptions, type TrackedMessage, trackLinks } from './track-links.ts';

/** What is known at MAIL. */
export interface Envelope {
  /** Looks up a macro of the MTA. */
  readonly macro: MacroLookup;
  /** Facts that override those of the macros. */
  readonly facts?: Facts;
  /** Without angle brackets: empty for the null sender, undefined if it is not known. */
  readonly sender: string | undefined;
  /** Looks up the queue id, which the MTA knows at the end of the message at the latest. */
  readonly queueId?: () => string | undefined;
  /** Whether the MTA lets the body be changed; default true. */
  readonly mayChangeBody?: boolean;
}

/** The answer at the end of headers. */
export type BeforeBody =
  | 'go on'
  /** Nothing will be changed: the transaction is over. */
  | 'accept'
  /** Only the header will be changed. */
  | 'skip body'
  /** An SMTP reply, from the code on. The transaction is over. */
  | { readonly reject: string };

/** The answer at the end of the message. */
export interface Ending {
  /** The new body, if it changes. */
  readonly body?: readonly Buffer[] | undefined;
  /** How many header fields to remove, by their name in lower case. */
  readonly headersToRemove: ReadonlyMap<string, number>;
  /** Whether to answer with a temporary failure. */
  readonly tempfail: boolean;
  /** The report, unless the end of headers had one. */
  readonly report: MessageReport | undefined;
}

/** What a report says beside the verdict, as far as it is known. */
interface Details {
  readonly reason?: WhyUntouched;
  /** The SMTP reply that rejects the message. */
  readonly reply?: string;
  /** The links, and how they were made. */
  readonly made?: Pick<MessageReport, 'links' | 'kind'>;
  /** The facts of links that have tokens. */
  readonly facts?: MessageFacts;
}

const NO_HEADERS: ReadonlyMap<string, number> = new Map();
const NO_LINKS: Pick<MessageReport, 'links' | 'kind'> = { links: [] };

/** Approximate bytes that a recipient or header field takes in addition to its text. */
const ENTRY_BYTES = 100;

/**
 * One message from MAIL to its end: the facts, the decision, the links and their tokens. It knows
 * nothing of the milter protocol, so that `rewrite` and `explain` treat messages as the milter
 * does.
 */
export class Transaction {
  /** The facts by which the scopes were matched. */
  readonly facts: Facts;
  readonly #start = performance.now();
  readonly #settings: FilterSettings;
  readonly #parts: FilterParts;
  readonly #memory: MemoryShare;
  readonly #limits: MessageLimits;
  readonly #sender: string | undefined;
  readonly #senderDomain: string | undefined;
  readonly #queueId: () => string | undefined;
  readonly #mayChangeBody: boolean;
  /** As received. A recipient that is named twice gets the message once. */
  readonly #recipients = new Set<string>();
  readonly #headers: HeaderField[] = [];
  readonly #senderHeaders: SenderHeaders;
  readonly #variables: ReadonlyMap<string, string> | undefined;
  #decision: Decision;
  #open: OpenMessage | undefined;
  /** Asked while the body comes. */
  #optedOut: Promise<boolean> | undefined;
  #bodySize = 0;
  /** Whether the end of headers had the report, for lack of memory or because of a limit. */
  #isReported = false;

  constructor(settings: FilterSettings, parts: FilterParts, envelope: Envelope) {
    const { macro, facts, sender, queueId, mayChangeBody = true } = envelope;
    this.#settings = settings;
    this.#parts = parts;
    this.#memory = new MemoryShare(parts.memory);
    this.#limits = new MessageLimits(settings.limits);
    this.#sender = sender;
    this.#senderDomain = domainOf(sender ?? '');
    this.#queueId = queueId ?? (() => undefined);
    this.#mayChangeBody = mayChangeBody;
    const lookup: MacroLookup = (name) =>
      name === 'sender_domain' ? this.#senderDomain : macro(name);
    const read = readFacts(settings.macros, lookup, settings.scopes);
    this.facts = facts === undefined ? read : { ...read, ...facts };
    const match = settings.scopes.match(this.facts);
    this.#variables = readContextVariables(macro);
    this.#decision = this.#decide(match);
    const { options } = this.#decision;
    const believed =
      (settings.smtpapi || options.acceptHeaders.length > 0) && isBelieved(options, macro);
    this.#senderHeaders = new SenderHeaders(
      settings.smtpapi && believed,
      believed ? options.acceptHeaders : [],
    );
  }

  /** The decision, which may change at the end of headers. */
  get decision(): Decision {
    return this.#decision;
  }

  /** Whether an X-MSYS-API header is honoured, and therefore removed. */
  get believesXMsysApi(): boolean {
    return this.#senderHeaders.believesXMsysApi;
  }

  #decide(match: Match, header?: SenderWishes): Decision {
    const { engagementTracker } = this.#settings;
    return decide(match, header, this.#variables, engagementTracker, this.#senderDomain);
  }

  /** Whether the message will be left untouched, whatever follows MAIL. */
  get isOff(): boolean {
    return !this.#senderHeaders.areHonoured && !this.#decision.options.clickTrackingEnabled;
  }

  recipient(address: string): void {
    this.#limits.recipient(address);
    if (this.#takes(address.length + ENTRY_BYTES)) this.#recipients.add(address);
  }

  header(field: HeaderField): void {
    const { name, value } = field;
    this.#limits.header(field);
    const take = this.#senderHeaders.count(name);
    if (!this.#takes(name.length + value.length + ENTRY_BYTES)) return;
    this.#headers.push(field);
    take?.(value);
  }

  /** @returns the answer, and the report unless the body is needed */
  endOfHeaders(): { readonly answer: BeforeBody; readonly report?: MessageReport } {
    if (this.#limits.exceeded !== undefined || this.#memory.isExceeded) {
      const reason = this.#limits.exceeded === undefined ? 'memory' : 'over-limit';
      this.#isReported = true;
      return { answer: this.#withoutBody, report: this.report('untouched', { reason }) };
    }
    const parsed = this.#senderHeaders.read(this.#settings.engagementTracker);
    if (parsed !== undefined) {
      if ('reject' in parsed) {
        const { dryRun } = this.#decision.options;
        const verdict = dryRun ? 'dry-run' : 'rejected';
        const report = this.report(verdict, { reason: 'smtpapi', reply: parsed.reject });
        this.close();
        return { answer: dryRun ? 'accept' : parsed, report };
      }
      this.#decision = this.#decide(this.#decision.match, parsed.wishes);
    }
    const reason = this.#whyNotToRead();
    if (reason === undefined) {
      this.#optedOut = this.#parts.optOuts.hasAny([...this.#recipients]);
      this.#optedOut.catch(() => {}); // `end` handles it, if the message gets so far
      return { answer: 'go on' };
    }
    const report = this.report('untouched', { reason });
    this.close();
    return { answer: this.#withoutBody, report };
  }

  /** The answer at the end of headers if the body does not change. */
  get #withoutBody(): BeforeBody {
    return this.#headersToRemove.size > 0 ? 'skip body' : 'accept';
  }

  #whyNotToRead(): WhyUntouched | undefined {
    const { options } = this.#decision;
    if (!options.clickTrackingEnabled) return 'off';
    if (!this.#mayChangeBody) return 'not-granted';
    if (this.#sender === '') return 'null-sender';
    if (this.#decision.refusedDomain !== undefined) return 'domain-not-allowed';
    if (options.recipients === 'single' && this.#recipients.size !== 1) {
      return 'several-recipients';
    }
    for (const address of this.#recipients) {
      if (options.excludeRecipients.matches(address)) return 'excluded-recipient';
    }
    const { reading, scopes } = this.#settings;
    this.#open = openMessage(this.#headers, readingOptions(reading, scopes, options));
    return this.#open.needsBody ? undefined : this.#open.reason;
  }

  /** @returns whether more of the body is needed */
  body(chunk: Buffer): boolean {
    if (this.#open === undefined) return false;
    this.#bodySize += chunk.length;
    if (!this.#takes(chunk.length)) return false;
    this.#open.write(chunk);
    return this.#open.needsBody;
  }

  /**
   * Makes the new body and saves its links. If the store is unavailable, `on_failure` decides.
   * @param givenUp aborted when the MTA no longer waits
   */
  async end(givenUp?: GivenUp): Promise<Ending> {
    try {
      return await this.#rewrite(givenUp);
    } finally {
      this.close();
    }
  }

  async #rewrite(givenUp?: GivenUp): Promise<Ending> {
    if (this.#isReported) return this.#ending(undefined);
    if (this.#memory.isExceeded) return this.#untouched('memory', []);
    const read = this.#open?.end();
    if (read === undefined) return this.#ending(undefined);
    if (read.reason !== undefined) return this.#untouched(read.reason, []);

    const { options } = this.#decision;
    const facts = this.#messageFacts();
    let made = await trackLinks(read, this.#parts.issuer, facts, options);
    if (made.body === undefined) return this.#nothingToTrack(made);
    // Old and new body are held until the store has answered.
    if (!this.#takes(this.#bodySize)) return this.#untouched('memory', made.links.map(asFound));
    try {
      if (await this.#optedOut)
        return this.#untouched('recipient-opted-out', made.links.map(asFound));
    } catch (error) {
      return this.#storeAway(error, made.links);
    }
    if (options.dryRun) return this.#ending(this.report('dry-run', { made, facts }));
    try {
      await made.issued?.commit(givenUp);
    } catch (error) {
      if (options.onFailure !== 'seal') return this.#storeAway(error, made.links);
      if (!(error instanceof StoreUnavailable)) throw error;
      made = await trackLinks(read, this.#parts.sealed, facts, options);
      if (made.body === undefined) return this.#nothingToTrack(made);
      await made.issued?.commit(givenUp);
    }
    if (made.issued !== undefined) {
      this.#count(facts, made.links);
      if (options.preview) this.#offerCopy(read, made);
    }
    return this.#ending(this.report('tracked', { made, facts }), made.body);
  }

  #ending(
    report: MessageReport | undefined,
    body?: readonly Buffer[] | undefined,
    tempfail = false,
  ): Ending {
    return { report, body, tempfail, headersToRemove: this.#headersToRemove };
  }

  /**
   * What becomes of a message that cannot be tracked now, or of which it is not known whether it
   * may be.
   */
  #storeAway(error: unknown, links: readonly RewrittenLink[]): Ending {
    if (!(error instanceof StoreUnavailable)) throw error;
    const { onFailure, dryRun } = this.#decision.options;
    const tempfail = onFailure === 'tempfail' && !dryRun;
    const verdict = tempfail ? 'tempfailed' : 'untouched';
    const made = { links: links.map(asFound) };
    const report = this.report(verdict, { reason: 'store-unavailable', made });
    return this.#ending(report, undefined, tempfail);
  }

  #nothingToTrack({ links }: TrackedMessage): Ending {
    return this.#untouched(links.length > 0 ? 'nothing-to-track' : 'no-links', links);
  }

  #untouched(reason: WhyUntouched, links: readonly RewrittenLink[]): Ending {
    return this.#ending(this.report('untouched', { reason, made: { links } }));
  }

  /** Ends the transaction and gives back its memory. Further calls have no effect. */
  close(): void {
    this.#memory.release();
    this.#open = undefined;
  }

  /** The report as of now. */
  report(
    verdict: Verdict,
    { reason, reply, made: { links, kind } = NO_LINKS, facts }: Details = {},
  ): MessageReport {
    const { match, problems, message } = this.#decision;
    const notDone = [...this.#decision.notDone, ...this.#decision.notDoneHeaders];
    return {
      verdict,
      reason,
      reply,
      scope: match.chain()[0],
      queueId: this.#queueId(),
      // Beside the queue id, it would lead from the MTA's log to the clicks of a recipient.
      messageId: facts?.identity === undefined ? facts?.messageId : undefined,
      campaignId: message.campaignId,
      pathway: match.pathway,
      kind,
      links,
      bodySize: this.#bodySize,
      milliseconds: performance.now() - this.#start,
      notDone: notDone.length > 0 ? notDone : undefined,
      problems: this.#limits.exceeded === undefined ? problems : [this.#limits.exceeded],
    };
  }

  /**
   * Takes memory.
   * @returns false if there is none left, or a limit is exceeded: the message will pass untouched
   */
  #takes(bytes: number): boolean {
    if (this.#limits.exceeded === undefined && this.#memory.take(bytes)) return true;
    this.close();
    this.#headers.length = 0;
    this.#recipients.clear();
    return false;
  }

  get #headersToRemove(): ReadonlyMap<string, number> {
    return this.#decision.options.dryRun ? NO_HEADERS : this.#senderHeaders.counts;
  }

  #messageFacts(): MessageFacts {
    const received = {
      queueId: this.#queueId(),
      sender: this.#sender ?? '',
      recipients: [...this.#recipients],
      headers: this.#headers,
      bodySize: this.#bodySize,
    };
    const { clickTrackingIncludeMetadata } = this.#settings.engagementTracker;
    return messageFacts(received, this.#decision, clickTrackingIncludeMetadata, Date.now());
  }

  /** Offers a tracked message as a copy of its campaign's newsletter. */
  #offerCopy(read: ReadMessage, made: TrackedMessage): void {
    const { options, message } = this.#decision;
    if (message.campaignId === undefined) return;
    this.#parts.previews?.offer({
      campaign: message.campaignId,
      recipients: [...this.#recipients],
      days: options.previewDays,
      links: made.links.length,
      html: (hrefOf) => htmlForPreview(read, made, hrefOf),
    });
  }

  #count(message: MessageFacts, links: readonly RewrittenLink[]) {
    let tracked = 0;
    for (const link of links) if (link.tracked) tracked++;
    const time = message.injectionTime * 1000;
    // The spread comes last: members behind one cost V8 a hundred times as much.
    this.#parts.counter.sent({ time, links: tracked, ...countedFacts(message) });
  }
}

/** A link that was to be tracked in a message that passes untouched. */
function asFound({ url: _, ...link }: RewrittenLink): RewrittenLink {
  return { ...link, tracked: false };
}
