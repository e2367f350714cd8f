import { soak } from '../helpers/milter-soak.ts';

// npm run soak: 20,000 messages over 50 connections at a time, many of which end badly; nothing may be left of them.

const start = Date.now();
const result = await soak(20_000, 50);
const grown = (result.heap.after - result.heap.before) / 1e6;
console.log(JSON.stringify(result, undefined, 2));
console.log(`${((Date.now() - start) / 1000).toFixed(1)} s; heap grown by ${grown.toFixed(2)} MB`);
if (Object.values(result.left).some((count) => count !== 0) || grown > 3) {
  console.error('something was left');
  process.exitCode = 1;
}
