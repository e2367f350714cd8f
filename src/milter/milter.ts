/**
 * `clickmilter/milter`: the milter protocol, versions 2 to 6, for Node. A filter is an object of
 * hooks, passed to a server. The MTA is asked for the stages that have a hook. The client plays the
 * MTA.
 *
 *     import { createMilterServer, reply } from 'clickmilter/milter';
 *
 *     const server = createMilterServer({
 *       actions: ['addHeaders'],
 *       begin: () => ({ size: 0 }),
 *       rcpt: (_message, { address }) =>
 *         address.startsWith('nobody@') ? reply(550, '5.1.1', 'Nobody lives here') : undefined,
 *       body(message, chunk) {
 *         message.state.size += chunk.length;
 *       },
 *       endOfMessage: (message) => message.addHeader('X-Body-Size', String(message.state.size)),
 *     });
 *     await server.listen({ path: '/run/size.sock' });
 */
export { type Answer, type BodyAnswer, type Reply, reply, type SessionAnswer } from './answer.ts';
export * from './client.ts';
export type { Macros } from './client-connection.ts';
export type {
  ClientAgreement,
  MacroStage,
  ReceivedAnswer,
  ReceivedReply,
} from './client-replies.ts';
export type {
  Transaction,
  TransactionResult,
  TransactionStage,
} from './client-transaction.ts';
export type * from './filter.ts';
export { applyModifications } from './message-edit.ts';
export type { Modification } from './modification.ts';
export type {
  ConnectionEvent,
  Limits,
  MessageLimit,
  MilterEvent,
  MilterServerOptions,
  Timeouts,
} from './options.ts';
export * from './server.ts';
export * from './text.ts';
export type { UnixSocketAddress } from './unix-socket.ts';
