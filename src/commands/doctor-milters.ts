import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join, resolve } from 'node:path';
import { reasonOf } from '../lib/logger.ts';

/** For one milter. */
const TRY_MS = 5_000;

/** Whether a milter looks like a signer: by its port or its path. */
export function looksLikeSigner(place: string): boolean {
  return /dkim|rspamd|amavis|:8891$|:11332$/i.test(place);
}

/**
 * Whether a place is one that packages and examples of clickmilter use, wherever it listens now.
 */
export function wasOurs(place: string): boolean {
  return /^inet:(?:127\.[\d.]+|localhost|::1):8893$|^unix:.*clickmilter/.test(place);
}

/**
 * Tries to connect to a milter.
 * @param place `inet:HOST:PORT` or `unix:PATH`
 * @param queue where a relative path starts, and a chroot may be
 * @returns undefined for a milter that can be connected to, or that this user may not try
 */
export function whyNotReached(place: string, queue = '/'): Promise<string | undefined> {
  const [, host = '', port = ''] = /^inet:(.*):(\d+)$/.exec(place) ?? [];
  const path = resolve(queue, place.replace(/^unix:/, ''));
  // A path may be one inside of the chroot.
  const inside = join(queue, path);
  const where =
    port !== '' ? { host, port: Number(port) } : { path: existsSync(inside) ? inside : path };
  return new Promise((settle) => {
    const socket = createConnection(where);
    const done = (reason?: string) => {
      socket.destroy();
      settle(reason);
    };
    socket.setTimeout(TRY_MS, () => done(`no answer within ${TRY_MS / 1000} s`));
    socket.once('connect', () => done());
    socket.once('error', (error: NodeJS.ErrnoException) =>
      done(error.code === 'EACCES' ? undefined : reasonOf(error)),
    );
  });
}
