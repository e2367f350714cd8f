import { readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Configuration } from '../config/configuration.ts';
import { reasonOf } from '../lib/logger.ts';
import { parseSealKeys, type SealKeys } from '../link/seal-keys.ts';
import { type Finding, Findings } from './doctor-finding.ts';

/** Less than a click and what a file system takes for itself. */
const FULL_BYTES = 64 * 1024;
const MIN_FREE_BYTES = 200 * 1024 * 1024;

/** The keys of sealed links; undefined where they cannot be read or are not there yet. Makes nothing. */
export async function readKeys(config: Configuration): Promise<SealKeys | undefined> {
  const file = config.sealed.keyFile;
  try {
    return parseSealKeys(await readFile(file, 'utf8'), file);
  } catch {
    return undefined;
  }
}

/** Keys, the folder they and the clicks are kept in, and the log. */
export async function examineState(config: Configuration): Promise<readonly Finding[]> {
  return [
    ...(await examineKeys(config.sealed.keyFile)),
    ...(await examineSpace(config)),
    ...(await examineLog(config)),
  ];
}

async function examineKeys(file: string): Promise<readonly Finding[]> {
  const findings = new Findings('keys');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      findings.error(`${reasonOf(error)}: run this as root, or as the user of the service`);
    } else if (await exists(`${file}.made`)) {
      findings.error(
        `${file} is gone, and with it every sealed link: bring it back from the backup`,
      );
    } else {
      findings.ok(`${file} is not there yet; the first start makes it`);
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
      findings.warning('every key is of the future: is the clock of this machine behind?');
    }
  } catch (error) {
    findings.error(reasonOf(error));
  }
  const { mode, uid } = await stat(file);
  if ((mode & 0o077) !== 0) {
    const others = (mode & 0o007) !== 0;
    const message = `${file} has mode ${(mode & 0o777).toString(8)}, whoever can read it can forge links: chmod 600 ${file}`;
    if (others) findings.error(message);
    else findings.warning(message);
  }
  const folder = await stat(dirname(file));
  if (uid !== folder.uid) {
    findings.warning(
      `${file} belongs to user ${uid}, its folder to user ${folder.uid}: can the service read it?`,
    );
  }
  return findings.list;
}

/** Clicks, and what waits for Redis or a webhook, need room. */
async function examineSpace({ events: { journal } }: Configuration): Promise<readonly Finding[]> {
  const findings = new Findings('disk');
  const folder = await nearest(journal);
  const { bavail, bsize, files, ffree } = await statfs(folder);
  const free = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB are free at ${folder}`;
  if (bavail * bsize < FULL_BYTES || (files > 0 && ffree === 0)) {
    findings.error(`${folder} is full: clicks are lost, and no link can be sealed by a new key`);
  } else if (bavail * bsize < MIN_FREE_BYTES)
    findings.warning(`${free}: clicks will be lost when it is full`);
  else findings.ok(free);
  return findings.list;
}

/** Whether the user of the service, who owns the state directory, may write its log; the groups he is in besides are not known. */
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
      `${file} cannot be written by the user of the service, ${user.uid}, for want of a right to ${place}: /var/log/clickmilter is his own with the units`,
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
