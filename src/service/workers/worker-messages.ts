import { isRecord } from '../../lib/values.ts';

/** The messages between primary and worker over the IPC channel of node:cluster. */
export type ToWorker =
  | { readonly clickmilter: 'begin'; readonly configuration: unknown }
  /** Stop listening, finish what has begun within the drain time-out, and end. */
  | { readonly clickmilter: 'stop' }
  /**
   * Stop listening, finish what has begun however long that takes, and end. A `stop` may follow.
   */
  | { readonly clickmilter: 'finish' }
  /**
   * Finish as above without the primary, which ends: the worker closes the channel as soon as it
   * has stopped listening.
   */
  | { readonly clickmilter: 'leave' }
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
/** Environment of a worker that replaces another one: `1`. */
export const SUCCESSOR = 'CLICKMILTER_SUCCESSOR';
/** Environment of a worker: milliseconds between heartbeats. */
export const HEARTBEAT = 'CLICKMILTER_HEARTBEAT';

/**
 * A message of the primary; undefined for anything else: others speak on the same channel
 * (node:cluster, test runners).
 */
export function readToWorker(message: unknown): ToWorker | undefined {
  if (!isRecord(message)) return undefined;
  const { clickmilter, id, what, value, configuration } = message;
  switch (clickmilter) {
    case 'begin':
      return { clickmilter, configuration };
    case 'stop':
    case 'finish':
    case 'leave':
      return { clickmilter };
    case 'ask':
      return isId(id) && typeof what === 'string' ? { clickmilter, id, what, value } : undefined;
    default:
      return undefined;
  }
}

/** A message of a worker; undefined for anything else. */
export function readFromWorker(message: unknown): FromWorker | undefined {
  if (!isRecord(message)) return undefined;
  const { clickmilter, id, rss, value, error } = message;
  switch (clickmilter) {
    case 'hello':
    case 'ready':
      return { clickmilter };
    case 'alive':
      return typeof rss === 'number' && rss >= 0 ? { clickmilter, rss } : undefined;
    case 'answer':
      if (!isId(id) || (error !== undefined && typeof error !== 'string')) return undefined;
      return error === undefined ? { clickmilter, id, value } : { clickmilter, id, error };
    default:
      return undefined;
  }
}

function isId(id: unknown): id is number {
  return Number.isSafeInteger(id);
}
