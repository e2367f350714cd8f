import type { Macros } from './client-connection.ts';
import type { ReceivedAnswer } from './client-replies.ts';
import type { Hook } from './filter.ts';
import {
  applyModifications,
  applyToEnvelope,
  type SplitMessage,
  splitMessage,
} from './message-edit.ts';
import type { Modification } from './modification.ts';

/** One message of the client, and its outcome. */

/** A message to send. */
export interface Transaction {
  /**
   * The sender as it is sent: with angle brackets as from SMTP, without as from local submission.
   * Default `<sender@example.com>`.
   */
  readonly sender?: string;
  readonly senderArgs?: readonly string[];
  /** Default `<recipient@example.net>`. */
  readonly recipients?: readonly string[];
  /** The whole message, header and body, with CRLF line ends. */
  readonly message: Buffer;
  /**
   * Macros of the stages from mail to endOfMessage, sent even if the milter did not ask for them.
   */
  readonly macros?: Macros;
  /** Data bytes per SMFIC_BODY. Default and maximum 65535. */
  readonly bodyChunk?: number;
  /** Whether SMFIC_BODYEOB carries the last piece of the body, as from Sendmail. Default false. */
  readonly endWithData?: boolean;
}

/** The stage at which a message was decided. */
export type TransactionStage =
  | 'session'
  | Exclude<Hook, 'connect' | 'helo' | 'unknown'>
  | 'endOfMessage';

/** The result of sending a message. */
export interface TransactionResult {
  /** The answer that decided. After `continue` and `accept` the MTA takes the message. */
  readonly answer: ReceivedAnswer;
  /** The stage of that answer: `session` if the answer to CONNECT or HELO decided. */
  readonly stage: TransactionStage;
  readonly sender: string;
  /** The remaining recipients, in order. */
  readonly recipients: readonly string[];
  /** The refused recipients, with the answer to each. */
  readonly refused: ReadonlyMap<string, ReceivedAnswer>;
  readonly modifications: readonly Modification[];
  /** The reason for which the message is held. */
  readonly quarantine: string | undefined;
  /** The message after the modifications. Without any, it is the very buffer that was sent. */
  readonly message: Buffer;
  /** How many SMFIR_PROGRESS packets were received. */
  readonly progress: number;
  /** Bytes of the body that were sent. They are fewer after `skip` or an early answer. */
  readonly bodySent: number;
}

/** An answer after which no more of the message is sent. */
export interface Decisive {
  readonly answer: ReceivedAnswer;
  readonly stage: TransactionStage;
}

/** A message on its way through the stages. */
export class Sending {
  readonly sent: Transaction;
  readonly sender: string;
  /** All recipients, also those refused. */
  readonly allRecipients: readonly string[];
  /** The recipients that were not refused so far. */
  readonly recipients: string[] = [];
  readonly refused = new Map<string, ReceivedAnswer>();
  bodySent = 0;
  /** The last piece of the body, if SMFIC_BODYEOB carries it. */
  rest: Buffer = Buffer.alloc(0);
  #split: SplitMessage | undefined;

  constructor(sent: Transaction) {
    this.sent = sent;
    this.sender = sent.sender ?? '<sender@example.com>';
    this.allRecipients = sent.recipients ?? ['<recipient@example.net>'];
  }

  get split(): SplitMessage {
    this.#split ??= splitMessage(this.sent.message);
    return this.#split;
  }

  /** The outcome of the message. The MTA takes modifications only with the message. */
  result(
    { answer, stage }: Decisive,
    modifications: readonly Modification[] = [],
    progress = 0,
  ): TransactionResult {
    const { refused, bodySent, sender, sent } = this;
    const isTaken = answer === 'continue' || answer === 'accept';
    const applied = isTaken ? modifications : [];
    const wereAsked = stage !== 'session' && stage !== 'mail';
    const recipients = wereAsked ? this.recipients : this.allRecipients;
    return {
      ...{ answer, stage, refused, bodySent, modifications, progress },
      ...applyToEnvelope(sender, recipients, applied),
      message: applyModifications(sent.message, applied),
    };
  }
}
