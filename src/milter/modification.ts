/** One change to a message, as it goes over the wire at end of message. Texts are bytes (latin1). */
export type Modification =
  | { readonly type: 'addHeader'; readonly name: string; readonly value: string }
  | {
      readonly type: 'insertHeader';
      readonly index: number;
      readonly name: string;
      readonly value: string;
    }
  | {
      readonly type: 'changeHeader';
      readonly index: number;
      readonly name: string;
      /** Empty deletes. */
      readonly value: string;
    }
  | { readonly type: 'replaceBody'; readonly chunk: Buffer }
  | { readonly type: 'addRecipient'; readonly address: string; readonly args?: string }
  | { readonly type: 'deleteRecipient'; readonly address: string }
  | { readonly type: 'changeSender'; readonly address: string; readonly args?: string }
  | { readonly type: 'quarantine'; readonly reason: string };
