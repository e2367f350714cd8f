import {
  CommandOrder,
  decodeConnect,
  decodeEnvelope,
  decodeHeader,
  decodeText,
} from './command.ts';
import type { Filter } from './filter.ts';
import type { Frame } from './frame.ts';
import { HookCalls, type HookOptions, NOTHING, type Place, type Replies } from './hook-calls.ts';
import { Macros } from './macros.ts';
import { type Demand, negotiate } from './negotiate.ts';
import { command, ProtocolError, protocolFlag } from './protocol.ts';

/**
 * The milter's side of one connection, without the socket. It takes the frames of an MTA, or of a
 * peer that only claims to be one, checks their order, decodes them, and has the hooks called.
 */
export class Session<State> {
  readonly #demand: Demand;
  readonly #isTcp: boolean;
  readonly #hooks: HookCalls<State>;
  readonly #macros = new Macros();
  readonly #order = new CommandOrder();
  #isNegotiated = false;
  /** Whether SMFIP_HDR_LEADSPC was agreed. */
  #isVerbatim = false;
  #betweenSessions = false;

  /** @param sendProgress sends SMFIR_PROGRESS while a hook is running */
  constructor(
    filter: Filter<State>,
    demand: Demand,
    options: HookOptions,
    isTcp: boolean,
    sendProgress: () => void,
  ) {
    this.#demand = demand;
    this.#isTcp = isTcp;
    this.#hooks = new HookCalls(filter, options, this.#macros, sendProgress);
  }

  get place(): Place {
    return this.#hooks.place;
  }

  get inMessage(): boolean {
    return this.#hooks.inMessage;
  }

  get isNegotiated(): boolean {
    return this.#isNegotiated;
  }

  /** Whether the connection is idle after SMFIC_QUIT_NC. */
  get betweenSessions(): boolean {
    return this.#betweenSessions;
  }

  /** Whether the promise of a hook is pending. No frame may be passed until it is settled. */
  get isRunning(): boolean {
    return this.#hooks.isRunning;
  }

  /**
   * Handles a frame. Returns a promise if a hook does; it never rejects because of a hook.
   * @throws ProtocolError if the peer does not speak the protocol
   */
  receive(frame: Frame): Replies | Promise<Replies> {
    const letter = frame.command;
    if (letter === command.macro) this.#macros.set(frame.text);
    else if (!this.#isNegotiated) return this.#negotiate(letter, frame.payload);
    else if (letter === command.quitNewConnection) {
      this.#hooks.leave('aborted');
      this.#order.enter(letter);
      this.#betweenSessions = true;
    } else if (this.#isInOrder(letter)) {
      this.#betweenSessions = false;
      this.#order.enter(letter);
      this.#macros.begin(letter);
      return this.#dispatch(letter, frame);
    }
    return NOTHING;
  }

  /**
   * Ends the session, since the connection is lost. A running hook learns it from its signal;
   * `abort` and `close` are called when it has returned.
   */
  close(): void {
    this.#hooks.disconnect();
  }

  #negotiate(letter: number, payload: Buffer): Replies {
    if (letter !== command.negotiate) {
      throw new ProtocolError(
        `milter: negotiate: command ${String.fromCharCode(letter)}: expected O first`,
      );
    }
    const { protocol, actions, reply } = negotiate(this.#demand, payload, this.#isTcp);
    this.#isNegotiated = true;
    this.#isVerbatim = (protocol & protocolFlag.leadingSpace) !== 0;
    this.#order.agree(protocol);
    this.#hooks.agree(protocol, actions);
    return [reply];
  }

  /** As in libmilter, a command out of order ends the current message, and is often ignored. */
  #isInOrder(letter: number): boolean {
    if (this.#order.allows(letter, this.inMessage)) return true;
    this.#hooks.abandon('aborted');
    return this.#order.restart(letter);
  }

  #dispatch(letter: number, frame: Frame): Replies | Promise<Replies> {
    const hooks = this.#hooks;
    switch (letter) {
      case command.connect:
        return hooks.connect(decodeConnect(frame.text));
      case command.helo:
        return hooks.helo(decodeText(frame.text, 'helo'));
      case command.unknown:
        return hooks.unknown(decodeText(frame.text, 'unknown'));
      case command.mail:
        return hooks.mail(decodeEnvelope(frame.text, 'mail'));
      case command.rcpt:
        return hooks.rcpt(decodeEnvelope(frame.text, 'rcpt'));
      case command.data:
        return hooks.data();
      case command.header:
        return hooks.header(() => decodeHeader(frame.text, this.#isVerbatim));
      case command.endOfHeaders:
        return hooks.endOfHeaders();
      case command.body:
        if (frame.payload.length === 0) throw new ProtocolError('milter: body: expected data');
        return hooks.body(frame.payload);
      case command.endOfMessage:
        return hooks.endOfMessage(frame.payload);
      case command.abort:
        hooks.abandon('aborted');
        this.#macros.clearMessage();
        return NOTHING;
      default:
        return NOTHING;
    }
  }
}
