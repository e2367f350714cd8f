import { namesInBraces } from '../lib/braces.ts';
import { reply } from '../milter/answer.ts';
import type { EndOfMessage, Filter, MacroRequest } from '../milter/filter.ts';
import { fromUtf8 } from '../milter/text.ts';
import { contextVariableNames } from '../scope/context-variables.ts';
import { LONGEST_MACRO_NAME, type MacroSettings } from '../scope/facts.ts';
import type { FilterParts, FilterSettings } from './options.ts';
import type { MessageReport } from './report.ts';
import { Transaction } from './transaction.ts';

export interface ClickFilterOptions extends FilterParts {
  /** The settings in use. Called once per message, so that a reload applies to the next one. */
  settings(): FilterSettings;
  /** Receives the report of each message, once. Must not throw. */
  onReport(report: MessageReport): void;
}

const ACTIONS = ['changeBody', 'changeHeaders'] as const;

/** The state of a message: its transaction, unless it was decided at MAIL. */
interface State {
  transaction?: Transaction;
}

/**
 * The click-tracking filter: decides before the body, rewrites at end of message. An MTA that
 * offers it waits for two answers per message, at the end of headers and of the message, and over
 * TCP for one more at DATA. A decision that falls earlier, or an error, is kept until then.
 */
export function clickFilter(options: ClickFilterOptions): Filter<State> {
  const report = (made: MessageReport | undefined) => {
    if (made !== undefined) options.onReport(made);
  };

  return {
    actions: ACTIONS,
    macros: macroRequest(options.settings().macros),
    silent: ['connect', 'mail', 'rcpt', 'data', 'header', 'body'],

    begin: () => ({}),
    connect() {},

    mail(message, sender) {
      const { client } = message.connection;
      const macro = (name: string) => {
        // CONNECT has the client's address if the MTA does not send the macro.
        const value = message.macro(name) ?? (name === 'client_addr' ? client?.address : undefined);
        return value && fromUtf8(value);
      };
      const { actions } = message.connection;
      const envelope = {
        macro,
        sender: fromUtf8(sender.address),
        queueId: () => message.queueId,
        mayChangeBody: actions.has('changeBody'),
      };
      const transaction = new Transaction(options.settings(), options, envelope);
      if (transaction.isOff || !actions.has('changeHeaders')) {
        const reason = transaction.isOff ? 'off' : 'not-granted';
        report(transaction.report('untouched', { reason }));
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
      const { answer, report: made } = message.state.transaction?.endOfHeaders() ?? {};
      report(made);
      if (typeof answer === 'object') {
        return reply(550, '5.6.0', answer.reject.replace(/^550 5\.6\.0 /, ''));
      }
      return answer === 'go on' || answer === 'skip body' ? 'continue' : 'accept';
    },

    body({ state }, chunk) {
      return state.transaction?.body(chunk) ? 'continue' : 'skip';
    },

    async endOfMessage(message) {
      const ending = await message.state.transaction?.end(message);
      report(ending?.report);
      if (ending?.tempfail) {
        return reply(451, '4.3.0', 'Click tracking is not available at the moment, try again');
      }
      removeHeaders(message, ending?.headersToRemove ?? new Map());
      if (ending?.body !== undefined) message.replaceBody(ending.body);
      return 'accept';
    },

    abort({ state }) {
      state.transaction?.close();
    },
  };
}

function removeHeaders(message: EndOfMessage, counts: ReadonlyMap<string, number>): void {
  for (const [name, count] of counts) {
    for (let index = count; index > 0; index--) message.deleteHeader(name, index);
  }
}

/**
 * The macros that the MTA is asked for. Macros that the operator has chosen are requested both at
 * CONNECT and at MAIL, since only the MTA knows when it has them.
 */
function macroRequest({ listener, listen, peer, pathway, longNames }: MacroSettings): MacroRequest {
  const chosen = namesInBraces([...listener, ...listen, ...peer, ...pathway]).filter(
    (name) => name !== 'sender_domain',
  );
  const braced = (names: Iterable<string>) =>
    [...new Set(names)].map((name) => (name.length === 1 ? name : `{${name}}`));
  const variables = contextVariableNames.filter(
    (name) => longNames || name.length <= LONGEST_MACRO_NAME,
  );
  return {
    connect: braced(['client_addr', ...chosen]),
    mail: braced([...chosen, 'auth_authen', 'auth_type', ...variables]),
    rcpt: ['i'],
    endOfHeaders: ['i'],
    endOfMessage: ['i'],
  };
}
