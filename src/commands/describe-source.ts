import { formatOrigin } from '../config/problem.ts';
import type { Decider } from '../scope/decide.ts';
import type { Effective } from '../scope/option-value.ts';

/** Where a value of the configuration comes from, in words. */
export function whence({ origin, scope }: Effective): string {
  if (origin === 'default') return 'default';
  return scope === 'global' ? formatOrigin(origin) : `${formatOrigin(origin)}, ${scope}`;
}

/** What decided a value, in words. */
export function whoDecided(from: Decider): string {
  switch (from.kind) {
    case 'macro':
      return `macro {${from.name}}`;
    case 'fact':
      return `the ${from.name} among the facts`;
    case 'context':
      return `context variable ${from.name}, ${whence(from.setting)}`;
    case 'header':
      return `X-MSYS-API ${from.field}`;
    case 'configuration':
      return whence(from.setting);
  }
}
