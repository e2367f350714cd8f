import type { FastifySchemaValidationError } from 'fastify';

/** A request that gets one sentence for an answer: it says what would be right. */
export class Refusal extends Error {
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** A parameter is not right. */
export class BadRequest extends Refusal {
  override readonly name = 'BadRequest';

  constructor(message: string) {
    super(400, message);
  }
}

/** This request may not do what it asks for. */
export class Forbidden extends Refusal {
  override readonly name = 'Forbidden';

  constructor(message: string) {
    super(403, message);
  }
}

/** The address leads to nothing. */
export class NotFound extends Refusal {
  override readonly name = 'NotFound';

  constructor(message: string) {
    super(404, message);
  }
}

/** A parameter, or a field of a form, that its schema refuses. @param errors at least one */
export function refusedInput([error]: readonly FastifySchemaValidationError[]): BadRequest {
  const { keyword = '', instancePath = '', params = {}, message = 'is not right' } = error ?? {};
  const { missingProperty, additionalProperty = 'the body' } = params;
  const name = instancePath.slice(1) || (missingProperty ?? additionalProperty);
  return new BadRequest(`${name}${REFUSED[keyword]?.(params) ?? ` ${message}`}`);
}

type Params = FastifySchemaValidationError['params'];

/** Days have a year of four digits, from 2000 on. */
export const DAY_PATTERN = '^2';
const A_DAY = ': expected a day such as 2026-01-31';

/** What is wrong with an input, and what would be right, by the keyword of its schema. */
const REFUSED: Readonly<Record<string, (params: Params) => string>> = {
  required: () => ' is missing: expected a value',
  additionalProperties: () => ' is not known here: expected a parameter of /openapi.json',
  enum: ({ allowedValues }) => `: expected one of ${[allowedValues].flat().join(', ')}`,
  maxLength: ({ limit }) => ` is too long: expected at most ${limit} characters`,
  type: ({ type }) => `: expected one ${type === 'string' ? 'text' : type}`,
  format: () => A_DAY,
  pattern: ({ pattern }) =>
    pattern === DAY_PATTERN ? A_DAY : ': expected a whole number in the range of /openapi.json',
};
