import { newsletter } from './helpers/newsletter.ts';
import { openMessage, DEFAULT_LIMITS } from '../src/message/open-message.ts';
import { load } from 'cheerio';
const options = { limits: DEFAULT_LIMITS, rewriteSigned: false, excludeSelectors: [], trackUrlText: true, ownDomains: [] };
const ls = [1,2,3,4,5,6,7,8].map((seed) => newsletter({ size: 20000, seed }));
const f = (n: any) => { const m = openMessage(n.headers, options); m.write(n.body); const r = m.end(); let k=0; r.rewrite(() => `https://click.example.com/abcdefghijklmnopqrstuv${k++}`); };
if (process.argv[2] === 'p') { const e = performance.now() + 6000; while (performance.now() < e) for (const n of ls) f(n); }
else { const best = { ours: 1e9, cheerio: 1e9 }; const all = { ours: 0, cheerio: 0 };
for (let r = 0; r < 30; r++) { for (const [k, g, reps] of [['ours', f, 10], ['cheerio', (n: any) => load(n.html).html(), 3]] as const) { const t = performance.now(); for (let i = 0; i < reps; i++) for (const n of ls) g(n); const u = (performance.now() - t) / reps / 8 * 1000; best[k] = Math.min(best[k], u); if (r > 8) all[k] += u / 21; } }
console.log('min', best, (best.ours / best.cheerio).toFixed(3), 'mean', all, (all.ours/all.cheerio).toFixed(3)); }
