// Loaded into the service (--import): tells whoever connects to the unix socket BLOCKS_SOCKET.PID how many
// milliseconds the event loop stood still at most since the last time that somebody asked.
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION = 1; // ms: how often the loop is looked at
const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
delays.enable();
createServer((socket) => {
  socket.end(String(Math.max(0, delays.max / 1e6 - RESOLUTION)));
  delays.reset();
})
  .listen(`${process.env.BLOCKS_SOCKET}.${process.pid}`)
  .unref();
