/** Runs in a process of its own: what reading and rewriting one message costs, as JSON. */
import { DEFAULT_LIMITS, openMessage } from '../../src/message/open-message.ts';
import { PRODUCTS } from './cases.ts';

const [name = '', ...sizes] = process.argv.slice(2);
const make = PRODUCTS[name];
if (make === undefined) {
  throw new Error(`products: ${name}: no such product`);
}

function transform(n: number): { bytes: number; output: number } {
  const { headers, body, exclude, excludeSelectors = [] } = (make as NonNullable<typeof make>)(n);
  const bytes = Buffer.from(body, 'latin1');
  const open = openMessage(headers, {
    limits: { ...DEFAULT_LIMITS, links: 1e6, parts: 1e6 },
    rewriteSigned: false,
    excludeSelectors,
    trackUrlText: false,
    ownDomains: new Set(['t.example']),
    ...(exclude && { exclude }),
  });
  for (let at = 0; at < bytes.length; at += 65_535) {
    open.write(bytes.subarray(at, at + 65_535));
  }
  // As long as a sealed link, which holds its target.
  const { body: after } = open
    .end()
    .rewrite(({ target }) => `https://t.example/${'t'.repeat(60 + (target.length * 4) / 3)}`);
  const output = after?.reduce((sum, { length }) => sum + length, 0) ?? bytes.length;
  const header = headers.reduce((sum, { value }) => sum + value.length, 0);
  return { bytes: bytes.length + header, output: output + header };
}

transform(1000);
const results = sizes.map((size) => {
  const before = process.cpuUsage();
  const memory = process.resourceUsage().maxRSS * 1024;
  const sizesOf = transform(Number(size));
  const { user, system } = process.cpuUsage(before);
  const grown = process.resourceUsage().maxRSS * 1024 - memory;
  return { ...sizesOf, milliseconds: (user + system) / 1000, memory: grown };
});
process.stdout.write(JSON.stringify(results));
