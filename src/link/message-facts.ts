/**
 * What is known of one injected message when its links are made, and what a
 * click on one of them reports (Momentum's `track_event`). A fact that is not
 * known is absent, never guessed.
 */
export interface MessageFacts {
  /** Our own id of the message: 16 characters of base64url (96 random bits); see `newMessageId`. */
  readonly messageId: string;
  /** The MTA's queue id. */
  readonly queueId?: string;
  /** Unix seconds. */
  readonly injectionTime: number;
  /** Unix seconds; after it no click is recorded any more. */
  readonly expires: number;
  /** `tracking_domain`, lower case, with its port where it has one: the only Host the links answer to. */
  readonly domain: string;
  /** Envelope sender without angle brackets; empty for a bounce. */
  readonly sender?: string;
  /** Envelope recipients without angle brackets, as written; empty where none is known. */
  readonly recipients: readonly string[];
  /** How many recipients there are, where `recipients` does not list them (a sealed link of a message with several). */
  readonly recipientCount?: number;
  /** The From header, unfolded. */
  readonly friendlyFrom?: string;
  readonly subject?: string;
  /** Bytes of header and body. */
  readonly size?: number;
  readonly campaignId?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  readonly pathway?: string;
}

/** One link as it is stored: where it leads, and what it is called. */
export interface TrackedLink {
  /** The exact original target, an http or https URL of ASCII characters. */
  readonly target: string;
  /** `data-msys-linkname`; absent for a link without a name. */
  readonly name?: string;
  /** The top part it was found in. */
  readonly part: 'text' | 'html';
}
