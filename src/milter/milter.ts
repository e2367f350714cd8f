/**
 * `clickmilter/milter`: the milter protocol, versions 2 to 6, for Node. A filter is an object of hooks, given
 * to a server; the client plays the MTA.
 *
 *     import { createMilterServer, reply } from 'clickmilter/milter';
 *
 *     const server = createMilterServer({
 *       begin: () => undefined,
 *       rcpt(_message, recipient) {
 *         if (recipient.address.startsWith('nobody@')) return reply(550, '5.1.1', 'Nobody lives here');
 *       },
 *     });
 *     await server.listen({ host: '127.0.0.1', port: 8893 });
 */
export type * from './answer.ts';
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
