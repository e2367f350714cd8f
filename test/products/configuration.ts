import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { originsOf } from '../../src/commands/doctor-domains.ts';
import { loadConfig } from '../../src/config/load.ts';
import { urlMatcher } from '../../src/scope/pattern-matcher.ts';
import type { ScopeTree } from '../../src/scope/scope-tree.ts';
import { configurationOf } from '../helpers/configuration.ts';
import type { Load, Product } from './growth.ts';

const each = (count: number, text: (index: number) => string) =>
  Array.from({ length: Math.ceil(count) }, (_, index) => text(index)).join('');

/** A configuration, right or wrong, that is read. */
function reading(
  text: string,
  use: (loaded: ReturnType<typeof loadConfig>) => number = ({ problems }) => problems.length,
): Load {
  const folder = mkdtempSync(join(tmpdir(), 'clickmilter-products-'));
  const file = join(folder, 'test.conf');
  writeFileSync(file, text);
  const run = () => {
    const loaded = loadConfig(file);
    rmSync(folder, { recursive: true });
    return use(loaded);
  };
  return { bytes: text.length, run };
}

/** Looks up the scope of each of these clients. */
function matching(count: number, text: string): Load {
  const scopes: ScopeTree = configurationOf(text).scopes;
  const run = () => {
    for (let n = 0; n < count; n++) {
      // Never the same facts twice, which would be found in the cache.
      scopes.match({ peer: `10.${n >> 8}.${n & 255}.7`, listen: `192.0.2.1:${n}` });
    }
    return 0;
  };
  return { bytes: text.length, run };
}

/** A configuration that is read and looked things up in. */
export const products: Readonly<Record<string, Product>> = {
  'blocks × depth': (n) => reading('a {'.repeat(n)),
  'closing braces × errors': (n) => reading('}'.repeat(n)),
  'brackets × depth': (n) => reading(`a = ${'('.repeat(n)}`),
  'maps × depth': (n) => reading('a = ['.repeat(n)),
  'quotes × lines': (n) => reading('"'.repeat(n)),
  'comments × lines': (n) => reading('/*'.repeat(n)),
  'slashes × words': (n) => reading('a/'.repeat(n)),
  'letters × one word': (n) => reading('a'.repeat(n)),
  'errors × names': (n) => reading('x = 1\n'.repeat(n / 10)),
  'peers × one place': (n) =>
    reading(`ESMTP_Listener { ${'Peer "10.0.0.1" { dry_run = on }'.repeat(n / 10)} }`),
  'pathways × names like them': (n) =>
    reading(
      each(n / 10, (i) => `pathway "customer-number-${i}" { }\n`) +
        `ESMTP_Listener { ${each(n / 10, (i) => `Peer "10.0.${i >> 8}.${i & 255}" { pathway = "costumer-number-${i}" }`)} }`,
    ),
  // More than V8 takes as the arguments of one call.
  'statements × stanzas': (n) => reading('smtpapi{}'.repeat(4 * n)),
  'places × pathways': (n) =>
    reading(
      each(n / 20, (i) => `pathway "${i}" { tracking_domain = pathway${i}.example }\n`) +
        `ESMTP_Listener { click_tracking_enabled = on tracking_domain = a.example ${each(
          n / 20,
          (i) => `Peer "10.0.${i >> 8}.${i & 255}" { tracking_domain = peer${i}.example }\n`,
        )} }`,
      ({ config, root }) => (config === undefined ? 0 : originsOf(root, config.scopes).length),
    ),
  'peers × clients': (n) =>
    matching(
      n / 10,
      `ESMTP_Listener { ${each(n / 10, (i) => `Peer "10.${i >> 8}.${i & 255}.0/24" { tracking_link_expiry = ${i + 1} }\n`)} }`,
    ),
  'stars × letters of a URL': (n) => {
    const { matches } = urlMatcher([`${'*a'.repeat(500)}b`]);
    const url = 'a'.repeat(n * 20);
    return { bytes: url.length, run: () => Number(matches(url)) };
  },
};
