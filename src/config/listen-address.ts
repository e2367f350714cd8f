/** Where a server listens. */
export type ListenAddress =
  /** `host` is an IP address, unbracketed; `::` is IPv6 only, absent is every address of both families. */
  | { readonly host?: string; readonly port: number }
  | {
      readonly path: string;
      /** File mode bits, e.g. 0o660. */
      readonly mode?: number;
      /** User and group, by name or number. */
      readonly owner?: string;
      readonly group?: string;
    };
