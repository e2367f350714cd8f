import { domainOf } from '../lib/text.ts';
import type { GivenUp } from '../link/link-store.ts';
import type { HeaderField } from '../message/header-fields.ts';
import { type OpenMessage, openMessage } from '../message/open-message.ts';
import { MessageLimits } from '../milter/message-limits.ts';
import { readContextVariables } from '../scope/context-variables.ts';
import { type Decision, decide, type SenderWishes } from '../scope/decide.ts';
import { type Facts, type MacroLookup, readFacts } from '../scope/facts.ts';
import type { Match } from '../scope/match.ts';
import { messageFacts } from './message-facts.ts';
import { MemoryShare } from './message-memory.ts';
import type { Envelope, FilterParts, FilterSettings } from './options.ts';
import {
  describeExceeded,
  type MessageReport,
  type Outcome,
  type Verdict,
  type WhyUntouched,
} from './report.ts';
import { SenderHeaders } from './sender-headers.ts';
import { isBelieved } from './smtpapi.ts';
import { readingOptions } from './track-links.ts';
import { trackMessage } from './track-message.ts';

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

type Details = Omit<Outcome, 'verdict'>;

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
  /** Whether the end of headers had the report. */
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

  /** The headers of its sender that are honoured, and therefore removed. */
  get honoured(): Pick<SenderHeaders, 'believesXMsysApi' | 'vendors'> {
    return this.#senderHeaders;
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
    this.#limits.header(name, value);
    const take = this.#senderHeaders.count(name);
    if (!this.#takes(name.length + value.length + ENTRY_BYTES)) return;
    this.#headers.push(field);
    take?.(value);
  }

  /** @returns the answer, and the report unless the body is needed */
  endOfHeaders(): { readonly answer: BeforeBody; readonly report?: MessageReport } {
    if (this.#limits.exceeded !== undefined || this.#memory.isExceeded) {
      const reason = this.#limits.exceeded === undefined ? 'memory' : 'over-limit';
      return this.#decided(this.#withoutBody, 'untouched', { reason });
    }
    const parsed = this.#senderHeaders.read(this.#settings.engagementTracker);
    if (parsed !== undefined) {
      if ('reject' in parsed) {
        const { dryRun } = this.#decision.options;
        const verdict = dryRun ? 'dry-run' : 'rejected';
        const details = { reason: 'smtpapi', reply: parsed.reject } as const;
        return this.#decided(dryRun ? 'accept' : parsed, verdict, details);
      }
      this.#decision = this.#decide(this.#decision.match, parsed.wishes);
    }
    const reason = this.#whyNotToRead();
    if (reason === undefined) {
      this.#optedOut = this.#parts.optOuts.hasAny([...this.#recipients]);
      this.#optedOut.catch(() => {}); // `end` handles it, if the message gets so far
      return { answer: 'go on' };
    }
    return this.#decided(this.#withoutBody, 'untouched', { reason });
  }

  #decided(answer: BeforeBody, verdict: Verdict, details: Details) {
    const report = this.report(verdict, details);
    this.#isReported = true;
    this.close();
    return { answer, report };
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
   * Makes the new body and saves its links.
   * @param givenUp aborted when the MTA no longer waits
   */
  async end(givenUp?: GivenUp): Promise<Ending> {
    try {
      const outcome = await this.#rewrite(givenUp);
      return {
        report: outcome && this.report(outcome.verdict, outcome),
        body: outcome?.body,
        tempfail: outcome?.verdict === 'tempfailed',
        headersToRemove: this.#headersToRemove,
      };
    } finally {
      this.close();
    }
  }

  /** @returns the outcome, unless the end of headers had it */
  async #rewrite(givenUp?: GivenUp): Promise<Outcome | undefined> {
    if (this.#isReported) return undefined;
    if (this.#memory.isExceeded) return { verdict: 'untouched', reason: 'memory' };
    const read = this.#open?.end();
    if (read === undefined) return undefined;
    if (read.reason !== undefined) return { verdict: 'untouched', reason: read.reason };
    const recipients = [...this.#recipients];
    const { clickTrackingIncludeMetadata } = this.#settings.engagementTracker;
    const received = {
      queueId: this.#queueId(),
      sender: this.#sender ?? '',
      recipients,
      headers: this.#headers,
      bodySize: this.#bodySize,
    };
    const message = {
      read,
      facts: messageFacts(received, this.#decision, clickTrackingIncludeMetadata, Date.now()),
      options: this.#decision.options,
      recipients,
      isOptedOut: this.#optedOut,
      takeBody: () => this.#takes(this.#bodySize),
    };
    return trackMessage(message, this.#parts, givenUp);
  }

  /** Ends the transaction and gives back its memory. Further calls have no effect. */
  close(): void {
    this.#memory.release();
    this.#open = undefined;
  }

  /** The report as of now. */
  report(
    verdict: Verdict,
    { reason, reply, links = [], kind, facts }: Details = {},
  ): MessageReport {
    const { match, problems, message } = this.#decision;
    const { exceeded } = this.#limits;
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
      problems:
        exceeded === undefined ? problems : [describeExceeded(exceeded, this.#settings.limits)],
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
    return this.#decision.options.dryRun ? new Map() : this.#senderHeaders.counts;
  }
}
