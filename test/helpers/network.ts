import { execFileSync } from 'node:child_process';
import { requireProgram } from './peer-process.ts';

/** A host of its own on a network: a network namespace with one address. */
export interface NetworkHost {
  readonly address: string;
  /** Stands before a command that is to run there. */
  readonly enter: readonly string[];
}

export interface Network {
  /** The address of the test, and of what it starts without `enter`. */
  readonly address: string;
  readonly hosts: readonly NetworkHost[];
  stop(): void;
}

/** Connects so many hosts by a bridge. Addresses are of 198.18.0.0/15, which is for such tests (RFC 2544). */
export function startNetwork(count: number): Network {
  const program = requireProgram('ip', 'iproute2');
  const ip = (...args: string[]) =>
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const id = process.pid % 65_536;
  const addressOf = (host: number) => `198.18.${id % 256}.${host}`;
  const bridge = `cmbr${id}`;
  const names = Array.from({ length: count }, (_, i) => `cm${id}h${i}`);
  const stop = () => {
    for (const name of names) ip('netns', 'del', name);
    ip('link', 'del', bridge);
  };
  ip('link', 'add', bridge, 'type', 'bridge');
  ip('addr', 'add', `${addressOf(1)}/24`, 'dev', bridge);
  ip('link', 'set', bridge, 'up');
  const hosts = names.map((name, i) => {
    const address = addressOf(11 + i);
    ip('netns', 'add', name);
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', name, 'master', bridge, 'up');
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    for (const device of ['lo', 'eth0']) ip('-n', name, 'link', 'set', device, 'up');
    return { address, enter: [program, 'netns', 'exec', name] };
  });
  return { address: addressOf(1), hosts, stop };
}
