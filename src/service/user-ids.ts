import { execFileSync } from 'node:child_process';

/** The number of a user given by name or number; Node itself has no getpwnam(3). @throws Error for one that does not exist */
export function userId(name: string): number {
  return idOf('passwd', name, 'user');
}

/** The same of a group. */
export function groupId(name: string): number {
  return idOf('group', name, 'group');
}

function idOf(database: 'passwd' | 'group', name: string, what: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  try {
    const entry = execFileSync('getent', [database, '--', name], { encoding: 'utf8' });
    return Number(entry.split(':')[2]);
  } catch (error) {
    throw new Error(`there is no ${what} "${name}" on this machine`, { cause: error });
  }
}
