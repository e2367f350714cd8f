/** A request that cannot be answered as it is: the message says what would be right. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly statusCode = 400;
}
