import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

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
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
