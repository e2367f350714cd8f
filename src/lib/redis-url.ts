import { isIPv6 } from 'node:net';

/** Where a Redis URL leads, and as whom. */
export interface RedisUrl {
  readonly tls: boolean;
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly database?: number;
  readonly username?: string;
  readonly password?: string;
}

/** The number of a database, as the protocol takes it; how many a server has, it says itself. */
export const MAX_DATABASE = 2 ** 31 - 1;

/** What a host of a Redis server may look like, without brackets. */
export function isRedisHost(host: string): boolean {
  return /^[a-z0-9_][a-z0-9._-]*$/i.test(host) || isIPv6(host);
}

/**
 * Reads redis://, rediss:// and unix:// URLs.
 * @throws RangeError that says what is wrong and repeats nothing of the text, which may hold a
 * password
 */
export function parseRedisUrl(text: string): RedisUrl {
  const url = /^(rediss?|unix):\/\//i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    throw new RangeError(
      'must be redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss://… or unix:///PATH[?db=DATABASE]; in a login, characters such as / # % are written %2F %23 %25',
    );
  }
  if (url.hash !== '' || text.includes('#')) {
    throw new RangeError('must have no #; in a login it is written %23');
  }
  const login = {
    ...(url.username !== '' && { username: decoded(url.username) }),
    ...(url.password !== '' && { password: decoded(url.password) }),
  };
  if (url.protocol === 'unix:') {
    const path = decoded(url.pathname);
    if (url.host !== '' || !/^\/[^\0]*[^/\0]$/.test(path)) {
      throw new RangeError(
        'must have the path of a socket after unix://, such as unix:///run/redis.sock',
      );
    }
    return { tls: false, at: { path }, ...database(url, ''), ...login };
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!isRedisHost(host)) {
    throw new RangeError(
      'must name a host: a name, an IPv4 address, or an IPv6 address in brackets',
    );
  }
  if (url.port === '0') throw new RangeError('must have a port from 1 to 65535');
  return {
    tls: url.protocol === 'rediss:',
    at: { host, port: Number(url.port || 6379) },
    ...database(url, url.pathname.slice(1)),
    ...login,
  };
}

function database(url: URL, inPath: string): { database?: number } {
  const query = [...url.searchParams];
  const [[name, inQuery] = ['db', ''], ...others] = query;
  if (name !== 'db' || others.length > 0)
    throw new RangeError('must have no query but ?db=DATABASE');
  if (inPath !== '' && inQuery !== '') throw new RangeError('must name its database only once');
  const digits = inPath || inQuery;
  if (digits === '' && query.length === 0) return {};
  const number = /^\d{1,10}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(number <= MAX_DATABASE)) {
    throw new RangeError('must name its database by a number, such as redis://HOST/3');
  }
  return { database: number };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError('must write each % of its login and path as %25');
  }
}
