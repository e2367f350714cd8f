import { readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Configuration } from '../config/configuration.ts';
import { readWhole, UnusableFile } from '../lib/files.ts';
import { reasonOf } from '../lib/logger.ts';
import { parseSealKeys, type SealKeys } from '../link/seal-keys.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { RUN_AS } from './exit-code.ts';
import { cannotRead, refusedTo, type SystemUser, unusableState } from './service-user.ts';

/** Less than a click and what a file system takes for itself. */
const FULL_BYTES = 64 * 1024;
const MIN_FREE_BYTES = 200 * 1024 * 1024;

/**
 * Reads the keys of sealed links, and creates none.
 * @returns undefined if they cannot be read or do not exist yet
 */
export async function readKeys(config: Configuration): Promise<SealKeys | undefined> {
  const file = config.sealed.keyFile;
  try {
    return parseSealKeys(readWhole(file).toString(), file);
  } catch {
    return undefined;
  }
}

/**
 * Examines the keys, the folder that holds them and the clicks, and the log.
 * @param user the user of the service, where it is known
 */
export async function examineState(
  config: Configuration,
  user?: SystemUser,
): Promise<readonly Finding[]> {
  return [
    ...(user === undefined ? [] : await examineAccess(config, user)),
    ...(await examineKeys(config.sealed.keyFile, user)),
    ...(await examineSpace(config)),
    ...(await examineLog(config)),
  ];
}

/** Whether the user of the service can use what is in the folders of the state, and the keys. */
async function examineAccess(
  { stateDirectory, sealed: { keyFile }, events }: Configuration,
  user: SystemUser,
): Promise<readonly Finding[]> {
  const findings = new Findings('state');
  const { journal, blockList, optOuts, previews } = events;
  const isCovered = (path: string) => path.startsWith(`${stateDirectory}/`);
  const covered = [keyFile, blockList, optOuts, previews, journal].filter(isCovered);
  const names = covered.map((path) => path.slice(stateDirectory.length + 1).replace(/\/.*/, ''));
  const inState = journal === stateDirectory ? [...names, ...JOURNAL_NAMES] : names;
  await examineFolder(findings, 'state_directory', stateDirectory, inState, user);
  if (journal !== stateDirectory && !isCovered(journal)) {
    await examineFolder(findings, 'journal', journal, JOURNAL_NAMES, user);
  }
  if (isCovered(keyFile) || !(await exists(keyFile))) return findings.list;
  // Its folder may be one of the system, such as /etc, which is not the service's to own.
  const obstacle = (await refusedTo(user, [keyFile])).get(keyFile);
  if (obstacle === undefined) return findings.list;
  const command = `chown ${user.name}: ${keyFile} && chmod 600 ${keyFile}`;
  const isFile = obstacle === resolve(keyFile);
  findings.error(cannotRead(user, keyFile, isFile ? command : { obstacle }));
  return findings.list;
}

/** How the names in the folder of the click journal begin. */
const JOURNAL_NAMES = ['events-', 'pending-', 'counts-', 'counters.', 'webhook.', 'dead-letters'];

/**
 * Whether the user of the service can use a folder with all that is in it.
 * @param names how the names of the service's own files there begin
 */
async function examineFolder(
  findings: Findings,
  option: string,
  folder: string,
  names: readonly string[],
  user: SystemUser,
): Promise<void> {
  if (!(await exists(folder))) return;
  const isOwn = (entry: string) => names.some((name) => entry.startsWith(name));
  const entries = await readdir(folder).catch((): string[] => []);
  const own = entries.filter(isOwn).map((entry) => join(folder, entry));
  const isShared = own.length < entries.length;
  const [first, ...others] = await unusableState(user, folder, isShared ? own : undefined);
  if (first === undefined) {
    findings.ok(`the service user ${user.name} can use ${folder}`);
    return;
  }
  const all = others.length === 0 ? first : `${first} and ${others.length} more`;
  // A folder with files of others, such as /var/lib, is not the service's to own.
  const remedy = isShared
    ? `${folder} holds other files too: set ${option} to a folder of the service alone, such as ${join(folder, 'clickmilter')}${own.length > 0 ? ', and move its files there' : ''}`
    : `chown -R ${user.name}: ${folder} && chmod -R u+rwX ${folder}`;
  findings.error(`the service user ${user.name} cannot use ${all}: ${remedy}`);
}

async function examineKeys(file: string, user?: SystemUser): Promise<readonly Finding[]> {
  const findings = new Findings('keys');
  let text: string;
  try {
    text = readWhole(file).toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      const remedy = error instanceof UnusableFile ? '' : `: ${RUN_AS}`;
      findings.error(`${reasonOf(error)}${remedy}`);
    } else if (await exists(`${file}.made`)) {
      findings.error(
        `${file} is missing, and with it every sealed link: restore it from the backup`,
      );
    } else {
      findings.ok(`${file} does not exist yet; the first start creates it`);
    }
    return findings.list;
  }
  try {
    const keys = parseSealKeys(text, file).all;
    const next = keys.filter(({ from }) => from > Date.now()).at(-1);
    const rest =
      next === undefined ? '' : `, the next seals from ${new Date(next.from).toISOString()}`;
    findings.ok(`${file} holds ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}${rest}`);
    if (keys.every(({ from }) => from > Date.now())) {
      findings.warning('every key starts in the future: is the clock of this machine behind?');
    }
  } catch (error) {
    findings.error(reasonOf(error));
  }
  const { uid } = await examineMode(findings, file, 'can forge links', user);
  const folder = await stat(dirname(file));
  if (user === undefined && uid !== folder.uid) {
    findings.warning(
      `${file} belongs to user ${uid}, its folder to user ${folder.uid}: can the service read it?`,
    );
  }
  return findings.list;
}

/**
 * Examines whether others can read a secret.
 * @param harm what they can do with it
 * @param user the user of the service, whose group may read it
 */
export async function examineMode(
  findings: Findings,
  file: string,
  harm: string,
  user?: SystemUser,
) {
  const stats = await stat(file);
  const { mode, uid, gid } = stats;
  const others = (mode & 0o007) !== 0;
  if (others || ((mode & 0o070) !== 0 && gid !== user?.gid)) {
    // Without its group, the service would lose a file of root.
    const own = user === undefined || user.uid === uid ? '' : `chown ${user.name}: ${file} && `;
    const message = `${file} has mode ${(mode & 0o777).toString(8)}, everybody who can read it ${harm}: ${own}chmod 600 ${file}`;
    if (others) findings.error(message);
    else findings.warning(message);
  }
  return stats;
}

/** Clicks, and what waits for Redis or a webhook, need room. */
async function examineSpace({ events: { journal } }: Configuration): Promise<readonly Finding[]> {
  const findings = new Findings('disk');
  const folder = await nearest(journal);
  const { bavail, bsize, files, ffree } = await statfs(folder);
  const free = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB are free at ${folder}`;
  if (bavail * bsize < FULL_BYTES || (files > 0 && ffree === 0)) {
    findings.error(`${folder} is full: clicks are lost, and no new key can be saved`);
  } else if (bavail * bsize < MIN_FREE_BYTES)
    findings.warning(`${free}: clicks will be lost when it is full`);
  else findings.ok(free);
  return findings.list;
}

/**
 * Whether the service user, who owns the state directory, can write the log. Its supplementary
 * groups are not known.
 */
async function examineLog({
  log: { file },
  stateDirectory,
}: Configuration): Promise<readonly Finding[]> {
  const findings = new Findings('log');
  if (file === undefined || !(await exists(stateDirectory))) return findings.list;
  const user = await stat(stateDirectory);
  const place = await nearest(file);
  const { mode, uid, gid } = await stat(place);
  const may = uid === user.uid ? 0o200 : gid === user.gid ? 0o020 : 0o002;
  if (user.uid === 0 || (mode & may) !== 0) {
    findings.ok(`${file} can be written`);
  } else {
    findings.warning(
      `the service user (uid ${user.uid}) cannot write to ${place} for ${file}; use /var/log/clickmilter, which the systemd units create for it`,
    );
  }
  return findings.list;
}

/** The path, or the folder above it that exists. */
async function nearest(path: string): Promise<string> {
  let found = path;
  while (!(await exists(found)) && found !== dirname(found)) found = dirname(found);
  return found;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
