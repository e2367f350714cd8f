import type { Action, ConnectInfo, Connection } from './filter.ts';
import type { Macros } from './macros.ts';

let lastId = 0;

/** One SMTP session as its filter sees it. */
export class FilterConnection implements Connection {
  readonly id = ++lastId;
  client: ConnectInfo | undefined;
  helo: string | undefined;
  actions: ReadonlySet<Action> = NO_ACTIONS;
  readonly #macros: Macros;

  constructor(macros: Macros) {
    this.#macros = macros;
  }

  macro(name: string): string | undefined {
    return this.#macros.get(name);
  }
}

const NO_ACTIONS: ReadonlySet<Action> = new Set();
