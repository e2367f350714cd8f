import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Configuration } from '../config/configuration.ts';
import type { Loaded } from '../config/load.ts';
import type { Problem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import type { Origin } from '../scope/option-value.ts';

/** Of the services, any one: they run as the same user. */
const UNIT = 'clickmilter-milter.service';
/** Options that name a file or folder that the service reads. */
const READ = ['tls_ca', 'tls_certificate', 'tls_key', 'pages', 'static_folder', 'token_file'];
const run = promisify(execFile);

/** A user that root can try files as. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly group: string;
  readonly gid: number;
}

/**
 * The user that systemd runs the service as.
 * @param file the configuration; the user is undefined where the units use another one, where there
 * are none, and as in `systemUser`
 */
export async function serviceUser(file: string): Promise<SystemUser | undefined> {
  try {
    const asked = ['show', '--property=User', '--property=ExecStart', UNIT];
    const { stdout } = await run('systemctl', asked);
    const name = /^User=(.+)$/m.exec(stdout)?.[1];
    if (name === undefined || !stdout.includes(` ${resolve(file)} `)) return undefined;
    return await systemUser(name);
  } catch {
    return undefined; // there is no systemd
  }
}

/**
 * Looks up a user by name.
 * @returns undefined for a user that does not exist, and where this process is not root and could
 * not try anything as that user
 */
export async function systemUser(name: string): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const id = async (what: string) => (await run('id', [what, name])).stdout.trim();
    const [uid, group, gid] = await Promise.all([id('-u'), id('-gn'), id('-g')]);
    return { name, uid: Number(uid), group, gid: Number(gid) };
  } catch {
    return undefined;
  }
}

/**
 * Finds files of the configuration that root may read, and the user of the service may not: it
 * would not start.
 */
export async function accessProblems(
  {
    config,
    nodes,
    root,
  }: Pick<Loaded, 'nodes' | 'root'> & { readonly config: Pick<Configuration, 'file'> },
  user: SystemUser | undefined,
): Promise<readonly Problem[]> {
  if (user === undefined) return [];
  const files = [...new Set([config.file, ...nodes.flatMap(filesOf)])];
  const named = [...root.children]
    .filter(({ isEnabled }) => isEnabled)
    .flatMap((stanza) => settingsOf(stanza));
  const used = [
    ...files.map((path) => ({ what: 'this file', path, origin: startOf(path) })),
    ...named.map(({ path, origin }) => ({ what: path, path, origin })),
  ].filter(({ path }) => existsSync(path));
  const refused = await refusedTo(
    user,
    used.map(({ path }) => path),
  );
  return used.flatMap(({ what, path, origin }): readonly Problem[] => {
    const obstacle = refused.get(path);
    if (obstacle === undefined) return [];
    const command = `chgrp ${user.group} ${path} && chmod u+r,g+r ${path}`;
    const message = cannotRead(user, what, obstacle === resolve(path) ? command : { obstacle });
    return [{ severity: 'error', message, ...origin }];
  });
}

/**
 * A sentence about a file that the user of the service cannot read.
 * @param remedy a command, or the folder above the file that is in the way
 */
export function cannotRead(
  { name }: SystemUser,
  what: string,
  remedy: string | { readonly obstacle: string },
): string {
  const rest =
    typeof remedy === 'string' ? `: ${remedy}` : `, since it cannot enter ${remedy.obstacle}`;
  return `the service user ${name} cannot read ${what}${rest}`;
}

function filesOf(node: Loaded['nodes'][number]): readonly string[] {
  const own = node.origin.file;
  return node.kind === 'stanza' ? [own, ...node.children.flatMap(filesOf)] : [own];
}

function startOf(file: string): Origin {
  return { file, line: 1, column: 1 };
}

function settingsOf({ settings }: Stanza): readonly { path: string; origin: Origin }[] {
  return READ.flatMap((name) => {
    const setting = settings.get(name);
    return setting ? [{ path: String(setting.value), origin: setting.origin }] : [];
  });
}

/** Prints the folders that cannot be entered, and the files that cannot be read. */
const TRY = `for path; do
  if [ -d "$path" ]; then [ -x "$path" ]; else [ -r "$path" ]; fi || printf '%s\\0' "$path"
done`;

/**
 * Tries paths as the user, since modes alone do not tell what access lists allow.
 * @returns of each path that the user cannot read, what is in the way: a folder above it, or itself
 */
export async function refusedTo(
  user: SystemUser,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const tried = new Set(paths.flatMap(wayTo));
  const refused = new Set(await asUser(user, 'sh', '-c', TRY, 'sh', ...tried));
  return new Map(
    paths.flatMap((path) => {
      const obstacle = wayTo(path).find((step) => refused.has(step));
      return obstacle === undefined ? [] : [[path, obstacle] as const];
    }),
  );
}

/** The folders above a path, the highest first, and the path. */
function wayTo(path: string): readonly string[] {
  const whole = resolve(path);
  const above = dirname(whole);
  return above === whole ? [whole] : [...wayTo(above), whole];
}

/**
 * What the user of the service cannot use of a folder that it writes to.
 * @param within the things in it that are examined; default: all
 */
export async function unusableState(
  user: SystemUser,
  place: string,
  within?: readonly string[],
): Promise<readonly string[]> {
  const folder = ['-type', 'd', '(', '!', '-writable', '-o', '!', '-executable', ')'];
  const unusable = ['(', ...folder, '-o', '!', '-readable', ')', '-print0'];
  if (within === undefined) return asUser(user, 'find', place, ...unusable);
  const itself = await asUser(user, 'find', place, '-maxdepth', '0', ...unusable);
  const things = within.length === 0 ? [] : await asUser(user, 'find', ...within, ...unusable);
  return [...itself, ...things];
}

/**
 * Runs a command as the user, with all groups of the user.
 * @returns the paths that it prints; none where setpriv(1) is missing
 */
async function asUser(
  { uid, gid }: SystemUser,
  ...command: readonly string[]
): Promise<readonly string[]> {
  const as = [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
  const options = { cwd: '/', maxBuffer: 64 * 1024 * 1024 };
  // find(1) fails at folders that it cannot enter, and prints them.
  const { stdout } = await run('setpriv', [...as, ...command], options).catch(({ stdout }) => ({
    stdout: String(stdout ?? ''),
  }));
  return stdout.split('\0').filter((path) => path !== '');
}
