/** A compiled list of patterns. */
export interface Matcher {
  /** As written in the configuration; empty where nothing ever matches. */
  readonly patterns: readonly string[];
  matches(subject: string): boolean;
}
