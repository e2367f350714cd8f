import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { assertMayChange, formTokenField, loginLink, sessionFor, whyReadOnly } from './access.ts';
import { csvOf } from './csv.ts';
import { BadRequest, NotFound, Refusal } from './errors.ts';
import { addressOf } from './filters.ts';
import { html } from './html.ts';
import { ACTIONS, Change, type ChangeSources, change } from './message-changes.ts';
import { LinkFound, MessageFound, PathwayOption } from './message-found.ts';
import { lookUp, type MessageSources } from './message-look-up.ts';
import { messagePage } from './message-page.ts';
import { answers, CSV_ANSWERS, frameOf, refuse, respond, sendCsv, wantsJson } from './respond.ts';
import { Problem } from './schemas.ts';
import type { Session } from './sessions.ts';

const find = Type.String({
  maxLength: 8192,
  description: 'A tracked URL, a token, a message id, or a target.',
});
const from = Type.Optional(
  Type.String({ pattern: '^[0-9]{1,6}$', description: 'The position of the first link.' }),
);

const MessageQuery = Type.Object({ find: Type.Optional(find), from });

/** The tables of the page, and the columns that each has as CSV. */
const TABLES = { links: LinkFound, options: PathwayOption } as const;
const TABLE_NAMES = Object.keys(TABLES) as (keyof typeof TABLES)[];

const CsvQuery = Type.Object(
  { table: Type.Enum(TABLE_NAMES, { description: 'The table.' }), find, from },
  { additionalProperties: false },
);

/** `/message`, what is known of a message or link, `/message.csv`, and `/message/change`. */
export const messageView: FastifyPluginAsyncTypebox<MessageSources & ChangeSources> = async (
  app,
  sources,
) => {
  /** The last change of each session, until the view that follows it says so once. */
  const made = new WeakMap<Session, { readonly find: string; readonly done: Change['action'] }>();

  app.get(
    '/message',
    {
      schema: {
        summary: 'What is known of a message, a link or a target',
        querystring: MessageQuery,
        response: {
          ...answers('Facts, links with their clicks, rulings and options.', MessageFound),
          404: Problem,
        },
      },
    },
    async (request, reply) => {
      const { from } = request.query;
      const find = request.query.find?.trim() ?? '';
      if (find === '' && wantsJson(request)) {
        throw new BadRequest('find: expected a tracked URL, a token, a message id or a target');
      }
      const { session } = request.access;
      const last = session && made.get(session);
      const isNew = last?.find === find && !wantsJson(request);
      if (session && isNew) made.delete(session);
      const why = whyReadOnly(request);
      const logIn = request.access.canLogIn && loginLink(request);
      const readOnly = why === undefined ? undefined : html`${why} ${logIn}`;
      const shown = {
        frame: await frameOf(request),
        find,
        done: isNew ? last?.done : undefined,
        readOnly,
        formToken: readOnly === undefined ? formTokenField(request, reply) : undefined,
      };
      const send = (text: string) => reply.type('text/html; charset=utf-8').send(text);
      if (find === '') return send(messagePage(shown).toString());
      try {
        const found = await lookUp(sources, find, from);
        return respond(
          request,
          reply,
          () => found,
          () => messagePage({ ...shown, found }),
        );
      } catch (error) {
        if (!(error instanceof NotFound) || wantsJson(request)) throw error;
        reply.code(404);
        return send(messagePage({ ...shown, problem: error.message }).toString());
      }
    },
  );

  app.get(
    '/message.csv',
    {
      schema: {
        summary: 'The links of a message, or the options of its pathway, as CSV',
        querystring: CsvQuery,
        response: { ...CSV_ANSWERS, 404: Problem },
      },
    },
    async (request, reply) => {
      const { table, find, from } = request.query;
      const { [table]: rows } = await lookUp(sources, find.trim(), from);
      return sendCsv(reply, `message-${table}`, csvOf(Object.keys(TABLES[table].properties), rows));
    },
  );

  app.post(
    '/message/change',
    {
      schema: {
        summary: 'Blocks, unblocks or retargets links',
        description:
          'For logins and unix sockets: with the token in `Authorization`, or a form of the page.',
        body: Change,
        response: {
          200: Type.Object(
            { done: Type.Enum(ACTIONS) },
            { description: 'For programs: the change is made.' },
          ),
          303: Type.Null({ description: 'For browsers: the message again.' }),
        },
      },
    },
    async (request, reply) => {
      const asked = request.body;
      const find = asked.find || asked.what;
      try {
        assertMayChange(request);
        await change(sources, asked, request);
      } catch (error) {
        if (!(error instanceof Refusal) || wantsJson(request)) throw error;
        const back = addressOf('/message', { find });
        const { canLogIn, rights } = request.access;
        const more = html`<p><a href="${back}">Back to the message</a> ${!rights.change && canLogIn && loginLink(request, back)}</p>`;
        return refuse(request, reply, error.statusCode, error.message, more);
      }
      if (wantsJson(request)) return reply.send({ done: asked.action });
      made.set(sessionFor(request, reply), { find: find.trim(), done: asked.action });
      return reply.redirect(addressOf('/message', { find }), 303);
    },
  );
};
