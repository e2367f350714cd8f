/** The value of a configuration option, of the type that its definition requires. */
export type OptionValue =
  | string
  | number
  | boolean
  | readonly string[]
  | ReadonlyMap<string, string>;

/** A place in a configuration file; line and column count from 1. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A value with the place that sets it. */
export interface Setting {
  readonly value: OptionValue;
  readonly origin: Origin;
}

/** The effective value of an option for one match. */
export interface Effective {
  readonly value: OptionValue;
  readonly origin: Origin | 'default';
  /** For example `ESMTP_Listener > Listen "*:587" > Peer "10.0.0.0/8"`; empty for a default. */
  readonly scope: string;
}
