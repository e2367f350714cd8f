/** What the MTA's macros say about one transaction; what is not known is absent. */
export interface Facts {
  /** The listener's name, e.g. Postfix's `{daemon_name}`. */
  readonly listener?: string;
  /** `address:port`, `[v6]:port` or a unix path: where the MTA accepted the connection. */
  readonly listen?: string;
  /** The client's IP address, in any spelling, also `IPv6:2001:db8::1`. */
  readonly peer?: string;
  /** A candidate for the pathway from the `pathway` macro; counts only where such a pathway is configured. */
  readonly pathway?: string;
}
