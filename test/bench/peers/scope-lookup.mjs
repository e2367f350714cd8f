// scope-lookup.mjs DIST CONFIGURATION: prints the microseconds that finding the scope of a client takes, as JSON:
// `new` for clients never seen before, `known` for a few that come again and again.
const [dist, file] = process.argv.slice(2);
const { loadConfig } = await import(`${dist}/config/load.js`);

const { config, problems } = loadConfig(file);
if (config === undefined) throw new Error(JSON.stringify(problems));

const address = (number) => `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
const every = (count, client) => {
  const facts = Array.from({ length: count }, (_, i) => ({
    listener: 'mta',
    listen: '127.0.0.1:25',
    peer: address(client(i)),
  }));
  const start = performance.now();
  let tracked = 0;
  for (const fact of facts) if (config.scopes.match(fact).options.clickTrackingEnabled) tracked++;
  const micros = ((performance.now() - start) * 1000) / count;
  return { micros, tracked };
};
const SCATTER = 2654435761; // Knuth's multiplier: consecutive numbers land far apart
every(20_000, (i) => (i * SCATTER) >>> 8);
const fresh = every(200_000, (i) => Math.imul(i + 50_000, SCATTER) >>> 8);
if (fresh.tracked === 0) throw new Error('no client matched a peer');
console.log(JSON.stringify({ new: fresh.micros, known: every(200_000, (i) => i % 100).micros }));
