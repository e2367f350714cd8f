import { execFileSync } from 'node:child_process';
import { chmod, chown, stat } from 'node:fs/promises';
import type { ListenOptions, Server } from 'node:net';
import type { Configuration } from '../config/configuration.ts';
import type { ListenAddress } from '../config/listen-addresses.ts';
import { removeStale } from '../milter/unix-socket.ts';
import { inheritedSockets } from './systemd.ts';

/** Where a server listens: an address of the configuration, or a socket that systemd opened. */
export type Place = ListenAddress | { readonly fd: number };

/** The parts of the service; `web` is the engagement page, `control` is health and metrics. */
export const roles = ['milter', 'redirect', 'events', 'web', 'control'] as const;
export type Role = (typeof roles)[number];

/** The roles that listen; systemd passes their sockets under these names. */
export const listeners = ['milter', 'redirect', 'web', 'control'] as const;
export type Listener = (typeof listeners)[number];

/** Whether the workers share a role's work; the primary does the work of the other roles. */
export const isShared = (role: Role): role is 'milter' | 'redirect' =>
  role === 'milter' || role === 'redirect';

/** The stanza of a role that listens. */
export const stanzaOf = {
  milter: 'milter_listener',
  redirect: 'http_listener',
  web: 'web_listener',
  control: 'control_listener',
} as const satisfies Record<Listener, string>;

/**
 * Where a role listens: the sockets inherited under its name, or else its configured addresses. The
 * engagement page is off unless its stanza is on, whatever sockets there are.
 */
export function placesOf(
  role: Listener,
  { milter, http, web, control }: Pick<Configuration, 'milter' | 'http' | 'web' | 'control'>,
  inherited = inheritedSockets(),
): readonly Place[] {
  const configured = { milter, redirect: http, web, control }[role].listen;
  if (role === 'web' && configured.length === 0) return [];
  return inherited.get(role)?.map((fd) => ({ fd })) ?? configured;
}

/** Inherited sockets that no role serves: connections there would never be accepted. */
export function unclaimedSockets(
  inherited: ReadonlyMap<string, readonly number[]>,
  expected: readonly string[],
): readonly { readonly descriptor: number; readonly name: string }[] {
  return [...inherited]
    .filter(([name]) => !expected.includes(name))
    .flatMap(([name, descriptors]) => descriptors.map((descriptor) => ({ descriptor, name })));
}

/**
 * Removes stale unix sockets; call it once, before any worker listens.
 * @throws Error where somebody still listens on one
 */
export async function clearWay(places: readonly Place[]): Promise<void> {
  for (const place of places) if ('path' in place) await removeStale(place.path, 'listen');
}

/** A listener may not be where it is: the configuration of this program or of systemd is wrong. */
export class WrongPlace extends Error {
  override readonly name = 'WrongPlace';
}

export function listenOptions(place: Place): ListenOptions | { fd: number } {
  if ('fd' in place) return { fd: place.fd };
  if ('path' in place) return { path: place.path };
  const { host, port } = place;
  return host === undefined ? { port } : { host, port, ipv6Only: host === '::' };
}

/**
 * Sets mode and owner of a unix socket after it listens. Until then the umask has kept others out.
 */
export async function grantAccess(place: Place): Promise<void> {
  if (!('path' in place)) return;
  const { path, fileMode: mode, fileOwner: owner, fileGroup: group } = place;
  if (owner !== undefined || group !== undefined) {
    const { uid, gid } = await stat(path);
    await chown(
      path,
      owner === undefined ? uid : userId(owner),
      group === undefined ? gid : groupId(group),
    );
  }
  await chmod(path, mode);
}

/** Makes the server listen. Settles when it does. */
export async function listening<S extends Server>(server: S, place: Place): Promise<S> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listenOptions(place), () => {
      server.off('error', reject);
      resolve();
    });
  });
  await grantAccess(place);
  return server;
}

/** For people: `127.0.0.1:8893`, `[::1]:8893`, `*:8893`, a path. */
export function describePlace(place: Place | { readonly path: string }): string {
  if ('fd' in place) return `a socket of systemd (descriptor ${place.fd})`;
  if ('path' in place) return place.path;
  const { host = '*', port } = place;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Where a browser on this host finds the engagement page; undefined for unix sockets, and for those
 * of systemd.
 */
export function pageAddress(place: Place): string | undefined {
  return 'port' in place ? `http://${describePlace(reached(place))}/` : undefined;
}

/** An address that leads to one to listen at. */
function reached({ host = '0.0.0.0', port }: { readonly host?: string; readonly port: number }) {
  return { host: { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host, port };
}

/**
 * How Postfix reaches it, for `smtpd_milters`; undefined for a socket that systemd opened, whose
 * address only its unit knows.
 */
export function postfixAddress(place: Place): string | undefined {
  if ('fd' in place) return undefined;
  // A relative path is one below the queue directory, whether Postfix is chrooted there or not.
  if ('path' in place) return `unix:${place.path.replace(/^\/var\/spool\/postfix\//, '')}`;
  return `inet:${describePlace(reached(place))}`;
}

/**
 * The number of a user given by name or number; Node has no getpwnam(3).
 * @throws Error for a user that does not exist
 */
export function userId(name: string): number {
  return idOf('passwd', name, 'user');
}

/** The number of a group given by name or number. @throws Error for a group that does not exist */
export function groupId(name: string): number {
  return idOf('group', name, 'group');
}

/** A number stays as it is; a name is looked up. */
function idOf(database: 'passwd' | 'group', name: string, what: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  try {
    const entry = execFileSync('getent', [database, '--', name], { encoding: 'utf8' });
    return Number(entry.split(':')[2]);
  } catch (error) {
    throw new Error(`there is no ${what} "${name}" on this machine`, { cause: error });
  }
}
