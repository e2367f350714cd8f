/** A request that gets one sentence for an answer: it says what would be right. */
class Refusal extends Error {
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
