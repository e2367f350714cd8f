import { Option } from 'commander';
import { type Role, roles } from '../service/listen.ts';

/** The option `--role` of a command. */
export function roleOption(description: string): Option {
  return new Option('--role <role...>', description).choices(
    roles.filter((role) => role !== 'control'),
  );
}

/** The roles that the option names, and `control`, which goes with any; all when it names none. */
export function rolesOf(named?: readonly Role[]): readonly Role[] {
  return named === undefined ? roles : [...named, 'control'];
}
