/** What the peer sent is not the milter protocol; the connection can only be closed. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}
