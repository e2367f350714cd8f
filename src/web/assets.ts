import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { FastifyPluginAsync } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

interface Asset {
  readonly type: string;
  readonly content: Buffer;
  readonly etag: string;
}

/** The files of other packages. */
const PACKAGES: Readonly<Record<string, string>> = {
  'uPlot.esm.js': 'uplot/dist/uPlot.esm.js',
  'uPlot.min.css': 'uplot/dist/uPlot.min.css',
};

/** `/assets/NAME`: the files of browser/ and those of other packages, read once. */
export const assets: FastifyPluginAsync = async (app) => {
  const files = readAssets(new URL('./browser/', import.meta.url));
  app.get<{ Params: { name: string } }>(
    '/assets/:name',
    { schema: { hide: true }, config: { isPublic: true } },
    async (request, reply) => {
      const asset = files.get(request.params.name);
      if (asset === undefined) return reply.callNotFound();
      // Asked for again each time: pages and files of one release belong together.
      reply.headers({ etag: asset.etag, 'cache-control': 'no-cache', 'content-type': asset.type });
      if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send();
      return reply.send(asset.content);
    },
  );
};

function readAssets(folder: URL): ReadonlyMap<string, Asset> {
  const own = readdirSync(folder).map((name) => [name, new URL(name, folder)] as const);
  const foreign = Object.entries(PACKAGES).map(
    ([name, path]) => [name, new URL(import.meta.resolve(path))] as const,
  );
  const known = [...own, ...foreign].flatMap(([name, file]): [string, Asset][] => {
    const type = TYPES[extname(name)];
    if (type === undefined) return [];
    const content = readFileSync(file);
    const etag = `"${createHash('sha256').update(content).digest('base64url')}"`;
    return [[name, { type, content, etag }]];
  });
  return new Map(known);
}
