/**
 * `clickmilter/milter`: the milter protocol, versions 2 to 6, for Node. A filter is an object of hooks, given to a server; the
 * hooks it has are the stages the MTA is asked for. The client plays the MTA.
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
export type { Answer, BodyAnswer, SessionAnswer } from './answer.ts';
export * from './client.ts';
export type { ClientAgreement, MacroStage, Offer } from './client-negotiate.ts';
export type * from './event.ts';
export type * from './filter.ts';
export { applyModifications } from './message-edit.ts';
export type * from './modification.ts';
export type { Limits, MilterServerOptions, Timeouts } from './options.ts';
export type { ReceivedAnswer, ReceivedReply } from './received.ts';
export * from './reply-code.ts';
export * from './server.ts';
export * from './text.ts';
export type { UnixSocketAddress } from './unix-socket.ts';
