import type { FastifyReply, FastifyRequest } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { type Html, html } from './html.ts';
import type { KnownNames } from './known-names.ts';
import { type Frame, page } from './layout.ts';
import { Page } from './schemas.ts';

/** Whether JSON is asked for: pages are for everyone who does not say that they prefer it. */
export function wantsJson({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  const accepted = new Map<string, number>();
  for (const range of (headers.accept ?? '').split(',').slice(0, 50)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    accepted.set(type, quality === undefined ? 1 : Number(quality) || 0);
  }
  const json = preferenceFor(accepted, 'application/json', 'application/*');
  const page = preferenceFor(accepted, 'text/html', 'text/*');
  if (json.quality !== page.quality) return json.quality > page.quality;
  // Most programs accept everything behind what they want.
  return json.quality > 0 && json.precision > page.precision;
}

/** The quality of the range that fits a type best, and how well it fits. */
function preferenceFor(accepted: ReadonlyMap<string, number>, type: string, family: string) {
  const ranges = ['*/*', family, type];
  const precision = ranges.findLastIndex((range) => accepted.has(range));
  return { precision, quality: accepted.get(ranges[precision] ?? '') ?? 0 };
}

/** Sends JSON where the client prefers it, and a page to everyone else. */
export async function respond(
  request: FastifyRequest,
  reply: FastifyReply,
  json: () => unknown,
  page: () => Html | Promise<Html>,
): Promise<FastifyReply> {
  reply.header('vary', 'Accept');
  if (wantsJson(request)) return reply.type('application/json').send(json());
  return reply.type('text/html; charset=utf-8').send((await page()).toString());
}

/** The frame of a view. @param names absent for a view without filters */
export async function frameOf({ access }: FastifyRequest, names?: KnownNames): Promise<Frame> {
  return { hasLogin: access.canLogIn, names: await names?.read() };
}

/** The answer of a view, for the OpenAPI document and for writing JSON. */
export function answers(description: string, json: TSchema) {
  return {
    200: {
      description,
      content: { 'application/json': { schema: json }, 'text/html': { schema: Page } },
    },
  };
}

/** @param file the name of the file, without its ending: no text of strangers */
export function sendCsv(reply: FastifyReply, file: string, csv: string): FastifyReply {
  return reply
    .type('text/csv; charset=utf-8')
    .header('content-disposition', `attachment; filename="clickmilter-${file}.csv"`)
    .send(csv);
}

/** The answer of an address with CSV, for the OpenAPI document. */
export const CSV_ANSWERS = {
  200: {
    description: 'A line of names, and one line for each row.',
    content: { 'text/csv': { schema: Type.String() } },
  },
};

/** Answers with one sentence, and with more for people. */
export function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  sentence: string,
  more?: Html,
): FastifyReply {
  reply.code(status).header('vary', 'Accept');
  if (wantsJson(request)) return reply.type('application/json').send({ error: sentence });
  const title = TITLES[status] ?? 'Not possible';
  // A request that is refused first of all has no access.
  const hasLogin = request.access?.canLogIn === true;
  const content = html`<p role="alert">${sentence}</p>${more}`;
  const text = page({ title, path: '', hasLogin, content });
  return reply.type('text/html; charset=utf-8').send(text.toString());
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'This is not possible as asked',
  401: 'Login',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible here',
  421: 'Another name',
  429: 'Not now',
  503: 'Not now',
};
