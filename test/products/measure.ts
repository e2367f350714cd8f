/** Runs in a process of its own: what the loads of one product cost, as JSON. Times are the least of all rounds. */
import { costOf, type Product } from './growth.ts';

const [table = '', name = '', rounds, ...sizes] = process.argv.slice(2);
const { products } = (await import(`./${table}.ts`)) as {
  products: Readonly<Record<string, Product>>;
};
const make = products[name];
if (make === undefined) throw new Error(`products: ${table}: ${name}: no such product`);
const peak = () => process.resourceUsage().maxRSS * 1024;

const [first = 0, ...others] = sizes.map(Number);
// Once without measuring: code is loaded and compiled, and the memory that all need is taken.
await costOf(await make(first / 10));
const costs = [];
const before = peak();
for (const n of [first, ...others]) {
  const cost = await costOf(await make(n));
  const memory = peak() - before;
  const times = [cost.milliseconds];
  while (times.length < Number(rounds)) times.push((await costOf(await make(n))).milliseconds);
  costs.push({ ...cost, milliseconds: Math.min(...times), memory });
}
process.stdout.write(JSON.stringify(costs));
