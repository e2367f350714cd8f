import { basename, dirname, join, resolve } from 'node:path';

/**
 * Where keys, events and block list are kept when state_directory does not say: /var/lib/clickmilter
 * for an installed configuration (below /etc); `var` for any other, beside its folder where that is
 * called conf, as in a checkout, else inside of it.
 */
export function defaultStateDirectory(file: string): string {
  const folder = dirname(resolve(file));
  if (`${folder}/`.startsWith('/etc/')) return '/var/lib/clickmilter';
  return join(basename(folder) === 'conf' ? dirname(folder) : folder, 'var');
}
