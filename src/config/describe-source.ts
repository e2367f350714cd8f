import type { Decider } from '../scope/decide.ts';
import type { Effective } from '../scope/option-value.ts';
import { formatOrigin } from './problem.ts';

/** Describes where a value of the configuration is set. */
export function describeSource({ origin, scope }: Effective): string {
  if (origin === 'default') return 'default';
  return scope === 'global' ? formatOrigin(origin) : `${formatOrigin(origin)}, ${scope}`;
}

/** Describes what decided a value. */
export function describeDecision(from: Decider): string {
  switch (from.kind) {
    case 'macro':
      return `macro {${from.name}}`;
    case 'fact':
      return `fact ${from.name}`;
    case 'context':
      return `context variable ${from.name}, ${describeSource(from.setting)}`;
    case 'header':
      return `X-MSYS-API ${from.field}`;
    case 'vendor':
      return from.header;
    case 'configuration':
      return describeSource(from.setting);
  }
}
