import { hostname, networkInterfaces } from 'node:os';
import type { Configuration } from '../config/configuration.ts';
import type { Settings } from './postfix-services.ts';

/** How Postfix would call our listeners: outside of a chroot, and inside of it. */
export interface Places {
  readonly open: ReadonlySet<string>;
  readonly chrooted: ReadonlySet<string>;
}

/** Where Postfix may find us, by all the names that this host has. */
export function placesOf(config: Configuration, settings: Settings): Places {
  const queue = settings['queue_directory'] ?? '';
  const open = new Set<string>();
  const chrooted = new Set<string>();
  for (const address of config.milter.listen) {
    if ('path' in address) {
      open.add(`unix:${address.path}`);
      if (!address.path.startsWith(`${queue}/`)) continue;
      const below = address.path.slice(queue.length + 1);
      // A path without a slash in front starts at the queue folder.
      open.add(`unix:${below}`);
      chrooted.add(`unix:${below}`).add(`unix:/${below}`);
    } else {
      for (const host of namesOf(address.host, settings['myhostname'])) {
        open.add(`inet:${host}:${address.port}`);
        chrooted.add(`inet:${host}:${address.port}`);
      }
    }
  }
  return { open, chrooted };
}

/** What a listener on this host may be called by whoever is on it as well; see ListenAddress for the wildcards. */
function namesOf(host: string | undefined, myhostname = hostname()): readonly string[] {
  const names = ['localhost', hostname(), myhostname];
  if (host === undefined) return [...addresses('IPv4'), ...addresses('IPv6'), ...names];
  if (host === '0.0.0.0') return [...addresses('IPv4'), ...names];
  if (host === '::') return [...addresses('IPv6'), ...names];
  return host === '::1' || host.startsWith('127.') ? [host, 'localhost'] : [host];
}

/** All the addresses of this host, the loopback first. */
function addresses(family: 'IPv4' | 'IPv6'): readonly string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((ofInterface = []) => ofInterface)
    .filter((one) => one.family === family);
  return [family === 'IPv4' ? '127.0.0.1' : '::1', ...found.map(({ address }) => address)];
}

/** A place as it is written in main.cf. */
export function written(place: string): string {
  return place.replace(/^inet:(.*:.*):(\d+)$/, 'inet:[$1]:$2');
}
