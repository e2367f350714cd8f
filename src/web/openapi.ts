import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { Page, Problem } from './schemas.ts';

/** The answers that any address may give in place of its own. */
const REFUSALS = {
  400: 'A parameter is not right.',
  401: 'The login is missing, or the token is not right.',
  403: 'This client may not ask for that, or the page of another site sent the request.',
  421: 'The Host is not a name of this page.',
  429: 'Too many wrong tokens came from this address.',
  500: 'The request failed, and the log says why.',
  503: 'The store is away, or too many requests are in progress or browsers at Live.',
} as const;

const refusals = Object.fromEntries(
  Object.entries(REFUSALS).map(([status, description]) => [
    status,
    {
      description,
      content: { 'application/json': { schema: Problem }, 'text/html': { schema: Page } },
    },
  ]),
);

/** Describes the routes registered from now on, and serves the document at `/openapi.json`. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'clickmilter: the engagement page',
        version,
        description: 'The numbers of every view, with `Accept: application/json`.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      // Connections from this host and over a unix socket need no token to look.
      security: [{}, { token: [] }],
    },
    transform: ({ schema, url }) => {
      const response = { ...refusals, ...(schema.response as object) };
      return { schema: { ...schema, response }, url };
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
