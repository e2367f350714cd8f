/** What the primary and a worker say to each other over the IPC channel of node:cluster. */
export type ToWorker =
  | { readonly clickmilter: 'begin'; readonly configuration: unknown }
  | { readonly clickmilter: 'stop' }
  | {
      readonly clickmilter: 'ask';
      readonly id: number;
      readonly what: string;
      readonly value: unknown;
    };

export type FromWorker =
  /** It listens to the channel, and wants its configuration. */
  | { readonly clickmilter: 'hello' }
  | { readonly clickmilter: 'ready' }
  /** The heartbeat: the event loop turns. `rss` is the resident size in bytes. */
  | { readonly clickmilter: 'alive'; readonly rss: number }
  | { readonly clickmilter: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly clickmilter: 'answer'; readonly id: number; readonly error: string };

/** Environment of a worker: its slot, from 1. A replacement has the slot of the one it replaces. */
export const SLOT = 'CLICKMILTER_WORKER';
/** Environment of a worker: milliseconds between heartbeats. */
export const HEARTBEAT = 'CLICKMILTER_HEARTBEAT';

/** Others speak on the same channel (node:cluster itself, test runners). */
export function isOurs(message: unknown): message is { clickmilter: string } {
  return typeof message === 'object' && message !== null && 'clickmilter' in message;
}
