import { reply } from '../milter/answer.ts';
import type { EndOfMessage, Filter, MacroRequest, Message } from '../milter/filter.ts';
import { fromUtf8 } from '../milter/text.ts';
import { contextVariableNames } from '../scope/context-variables.ts';
import { longestMacroName, type MacroSettings, macroNames } from '../scope/facts.ts';
import type { MessageReport } from './report.ts';
import { type FilterParts, type FilterSettings, SMTPAPI, Transaction } from './transaction.ts';

export interface ClickFilterOptions extends FilterParts {
  /** The configuration in use: asked once a message, so that a reload counts from the next one on. */
  settings(): FilterSettings;
  /** Told once of every message that came to a verdict. Must not throw. */
  onReport(report: MessageReport): void;
}

const ACTIONS = ['changeBody', 'changeHeaders'] as const;

/** What is kept of a message between two hooks; `transaction` is absent before MAIL. */
interface State {
  transaction?: Transaction;
}

/** The milter of the mission: decides at MAIL and at the end of headers, rewrites at the end of the message. */
export function clickFilter(options: ClickFilterOptions): Filter<State> {
  const report = (message: Message, made: MessageReport | undefined) => {
    if (made === undefined) return;
    const { queueId } = message;
    options.onReport(queueId === undefined ? made : { ...made, queueId });
  };

  return {
    actions: ACTIONS,
    macros: macroRequest(options.settings().macros),
    // Nothing is refused or decided there: the MTA need not wait.
    silent: ['connect', 'rcpt', 'header'],

    begin: () => ({}),
    connect() {},

    mail(message, sender) {
      const { client } = message.connection;
      const macro = (name: string) => {
        // What CONNECT says of the client serves where the MTA does not send the macro.
        const value = message.macro(name) ?? (name === 'client_addr' ? client?.address : undefined);
        return value && fromUtf8(value);
      };
      const envelope = { macro, sender: fromUtf8(sender.address) };
      const transaction = new Transaction(options.settings(), options, envelope);
      const granted = ACTIONS.every((action) => message.connection.actions.has(action));
      if (transaction.isOff || !granted) {
        const reason = transaction.isOff ? 'off' : 'not-granted';
        report(message, transaction.report('untouched', reason));
        return 'accept';
      }
      message.state.transaction = transaction;
      return 'continue';
    },

    rcpt({ state }, recipient) {
      state.transaction?.recipient(fromUtf8(recipient.address));
    },

    header({ state }, { name, raw }) {
      state.transaction?.header({ name, value: raw });
    },

    endOfHeaders(message) {
      const ended = message.state.transaction?.endOfHeaders();
      if (ended === undefined) return 'accept';
      report(message, ended.report);
      if (typeof ended.answer === 'object' || ended.answer === 'accept') {
        message.state.transaction?.close();
      }
      if (typeof ended.answer === 'object') {
        return reply(550, '5.6.0', ended.answer.reject.replace(/^550 5\.6\.0 /, ''));
      }
      return ended.answer === 'accept' ? 'accept' : 'continue';
    },

    body({ state }, chunk) {
      return state.transaction?.body(chunk) ? 'continue' : 'skip';
    },

    async endOfMessage(message) {
      const { transaction } = message.state;
      if (transaction === undefined) return 'accept';
      const ending = await transaction
        .end(message.queueId, message)
        .finally(() => transaction.close());
      report(message, ending.report);
      if (ending.tempfail) {
        return reply(451, '4.3.0', 'Click tracking is not available at the moment, try again');
      }
      removeSmtpapi(message, ending.smtpapiHeaders);
      if (ending.body !== undefined) message.replaceBody(ending.body);
      return 'accept';
    },

    abort(message, reason) {
      const { transaction } = message.state;
      transaction?.close();
      if (reason === 'over-limit') report(message, transaction?.report('untouched', 'over-limit'));
    },
  };
}

function removeSmtpapi(message: EndOfMessage, count: number): void {
  for (let index = count; index > 0; index--) message.deleteHeader(SMTPAPI, index);
}

/**
 * What the MTA is asked for. A macro of the operator's own choice is asked for at both stages that
 * are looked at, since only the MTA knows when it has it.
 */
function macroRequest({ listener, listen, peer, pathway, longNames }: MacroSettings): MacroRequest {
  const chosen = macroNames([...listener, ...listen, ...peer, ...pathway]).filter(
    (name) => name !== 'sender_domain',
  );
  const braced = (names: Iterable<string>) =>
    [...new Set(names)].map((name) => (name.length === 1 ? name : `{${name}}`));
  const variables = contextVariableNames.filter(
    (name) => longNames || name.length <= longestMacroName,
  );
  return {
    connect: braced(['client_addr', ...chosen]),
    mail: braced([...chosen, 'auth_authen', 'auth_type', ...variables]),
    rcpt: ['i'],
    endOfHeaders: ['i'],
    endOfMessage: ['i'],
  };
}
