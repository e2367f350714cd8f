import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { freePort } from '../helpers/free-port.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import type { Redis } from '../helpers/redis.ts';
import type { Bench } from './harness.ts';
import type { MeasuredProcess } from './measured-process.ts';
import { peerFile } from './milters.ts';

/** An HTTP server on the loopback. */
export interface HttpServer {
  readonly port: number;
  readonly process: MeasuredProcess;
}

/** nginx that answers everything with the same redirect, and logs it as it does out of the box: the least that can be done. */
export async function nginx(bench: Bench): Promise<HttpServer> {
  const program = requireProgram('nginx', 'nginx-light');
  const port = await freePort();
  const conf = join(bench.dir, 'nginx.conf');
  await writeFile(
    conf,
    `daemon off;
worker_processes 1;
pid ${bench.dir}/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log ${bench.dir}/nginx-access.log;
  keepalive_requests 1000000000;
  client_body_temp_path ${bench.dir};
  server { listen 127.0.0.1:${port}; location / { return 302 https://www.shop.example/; } }
}
`,
  );
  const process = bench.start('nginx', program, ['-e', 'stderr', '-p', bench.dir, '-c', conf]);
  await poll('nginx to answer', () => isAnswering(port));
  return { port, process };
}

/** node:http that looks tokens up under `bare:TOKEN` and appends clicks, without anything else. */
export async function bareRedirect(bench: Bench, redis: Redis): Promise<HttpServer> {
  const port = await freePort();
  const args = [peerFile('bare-redirect.mjs'), String(port), redis.socket];
  const bare = bench.start('bare', process.execPath, args);
  await poll('the bare redirect to answer', () => isAnswering(port));
  return { port, process: bare };
}

function isAnswering(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ port, host: '127.0.0.1', path: '/no-such-token' }, (response) => {
      response.resume();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
