import { setImmediate as turn } from 'node:timers/promises';
import { openLog } from '../../src/service/log.ts';

// Logs many lines to the file of its first argument, or to the standard output, ends as the service does, and says
// on stderr how many megabytes it has grown by.

const [file] = process.argv.slice(2);
const log = openLog({ level: 'info', format: 'json', detail: 'none', ...(file && { file }) });
process.once('exit', log.flushNow);
const before = process.memoryUsage.rss();
for (let line = 0; line < 100_000; line++) {
  log.logger.info({ line, text: 'x'.repeat(1000) }, 'said');
  if (line % 100 === 0) await turn();
}
await log.flush();
const grown = Math.round((process.memoryUsage.rss() - before) / 1_000_000);
process.stderr.write(`grown by ${grown} MB\n`);
process.exit(0);
