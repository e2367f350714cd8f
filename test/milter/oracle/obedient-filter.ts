import {
  type Action,
  type EndOfMessage,
  type Filter,
  type Message,
  reply,
} from '../../../src/milter/milter.ts';

/** What `answer=WORD` stands for; the same words as in oracle.c. */
const ANSWERS = {
  accept: 'accept',
  reject: 'reject',
  tempfail: 'tempfail',
  discard: 'discard',
  rejectwith: reply(550, '5.7.1', 'a hundred % no'),
  deferwith: reply(451, '4.7.1', ['one', 'two']),
} as const;

type Asked = (typeof ANSWERS)[keyof typeof ANSWERS];

const ACTIONS: readonly Action[] = [
  'addHeaders',
  'changeBody',
  'addRecipients',
  'deleteRecipients',
  'changeHeaders',
  'quarantine',
  'changeSender',
  'addRecipientsWithArguments',
];

interface Orders {
  readonly orders: string[];
  /** The beginning of the body, to find "answer=WORD;" wherever its pieces break. */
  bodyStart: string;
}

function answerTo(text: string | undefined): Asked | undefined {
  const word = /answer=(\w+)/.exec(text ?? '')?.[1];
  return word === undefined ? undefined : ANSWERS[word as keyof typeof ANSWERS];
}

/** A session's hooks cannot discard: the oracle is never asked to either. */
function sessionAnswerTo(text: string): Exclude<Asked, 'discard'> | undefined {
  const answer = answerTo(text);
  return answer === 'discard' ? undefined : answer;
}

/** The filter of oracle.c, over our own server. */
export function obedientFilter(lean = false): Filter<Orders> {
  return {
    actions: ACTIONS,
    ...(lean
      ? {
          silent: ['header'] as const,
          macros: { connect: ['{daemon_name}', '{client_addr}'], endOfMessage: ['i'] },
        }
      : { unknown: (_connection, text) => sessionAnswerTo(text) }),
    begin: () => ({ orders: [], bodyStart: '' }),
    connect: (_connection, client) => sessionAnswerTo(client.hostname),
    helo: (_connection, name) =>
      name === 'probe' ? reply(450, '4.7.0', 'alive') : sessionAnswerTo(name),
    mail: (_message, sender) => answerTo(sender.address),
    rcpt: (_message, recipient) => answerTo(recipient.address),
    data: (message) => answerTo(message.macro('{wish}')),
    header: (message, { name, value }) => {
      if (name.toLowerCase() === 'x-do') message.state.orders.push(value.trimStart());
      return lean ? undefined : answerTo(value);
    },
    endOfHeaders: (message) => answerTo(message.macro('{wish_eoh}')),
    body: ({ state }: Message<Orders>, chunk) => {
      if (state.bodyStart.length > 64) return undefined;
      state.bodyStart += chunk.toString('latin1', 0, 64);
      const word = /answer=(\w+);/.exec(state.bodyStart)?.[1];
      if (word === undefined) return undefined;
      state.bodyStart = '';
      return word === 'skip' ? 'skip' : answerTo(`answer=${word}`);
    },
    endOfMessage: (message) => {
      const { orders } = message.state;
      for (const order of orders) obey(message, order);
      // A real MTA does not send the oracle's macro: there a field "X-Do: finish WORD" stands for it.
      const finish = orders.find((order) => order.startsWith('finish '))?.slice('finish '.length);
      return answerTo(message.macro('{wish_eom}') ?? `answer=${finish}`);
    },
  };
}

/** A body of that many lines of 72 bytes each: MTAs fold longer ones on delivery. */
export function lines(count: number): Buffer {
  return Buffer.from(
    Array.from({ length: count }, (_, n) => `${String(n).padStart(70, '.')}\r\n`).join(''),
  );
}

/** One `X-Do:` field carried out; the words are those of oracle.c, and two more. */
function obey(message: EndOfMessage, order: string): void {
  const words = order.split(' ');
  const [verb = '', first = '', second = ''] = words;
  const from = (n: number) => words.slice(n).join(' ');
  const verbs: Readonly<Record<string, () => void>> = {
    addheader: () => message.addHeader(first, from(2)),
    insheader: () => message.insertHeader(Number(first), second, from(3)),
    chgheader: () => message.changeHeader(second, Number(first), from(3)),
    delheader: () => message.deleteHeader(second, Number(first)),
    addrcpt: () => message.addRecipient(first, words.slice(2)),
    delrcpt: () => message.deleteRecipient(first),
    chgfrom: () => message.changeSender(first, words.slice(2)),
    quarantine: () => message.quarantine(from(1)),
    body: () => message.replaceBody(Buffer.alloc(Number(first), 'x')),
    lines: () => message.replaceBody(lines(Number(first))),
    progress: () => message.progress(),
    finish: () => undefined,
  };
  const act = verbs[verb];
  if (act === undefined) throw new Error(`X-Do: ${verb}: not an order`);
  act();
}
