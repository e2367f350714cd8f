import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../helpers/free-port.ts';
import type { Redis } from '../helpers/redis.ts';
import type { Bench } from './harness.ts';
import { listening, type Milter } from './milters.ts';

/** clickmilter as an operator runs it. */
export interface Service extends Milter {
  /** Of the redirect endpoint, on the loopback. */
  readonly httpPort: number;
}

/** The Host of all tracked links. */
export const TRACKING_DOMAIN = 'click.example';
/** An SMTP client whose mail is not tracked. */
export const UNTRACKED_CLIENT = '192.0.2.1';

/**
 * Starts `clickmilter run` with every role.
 * @param name also names its socket, log and state
 * @param settings.redis keeps links there; without it they are sealed
 * @param settings.cli another build's program
 * @param settings.isTracked whether any mail is tracked; default: all but that of UNTRACKED_CLIENT
 */
export async function startService(
  bench: Bench,
  name: string,
  settings: {
    redis?: Redis;
    workers?: number;
    env?: Readonly<Record<string, string>>;
    cli?: string;
    isTracked?: boolean;
  } = {},
): Promise<Service> {
  const httpPort = await freePort();
  const state = join(bench.dir, name);
  const conf = `${state}.conf`;
  const socket = `${state}.sock`;
  const store = settings.redis
    ? `link_store = "redis"\nredis { url = "unix://${settings.redis.socket}"  key_prefix = "${name}:" }`
    : 'link_store = "sealed"';
  await writeFile(
    conf,
    `Milter_Listener { Listen "${socket}" { } }
HTTP_Listener { Listen "127.0.0.1:${httpPort}" { } }
Control_Listener { Listen "127.0.0.1:${await freePort()}" { } }
${store}
sealed { key_file = "${state}.keys" }
events { journal = "${state}.events" }
workers = ${settings.workers ?? 1}
ESMTP_Listener {
  click_tracking_enabled = ${settings.isTracked ?? true}
  tracking_domain = "${TRACKING_DOMAIN}"
  Peer "${UNTRACKED_CLIENT}" { click_tracking_enabled = false }
}
`,
  );
  const command = [process.execPath, settings.cli ?? bench.cli, '--config', conf, 'run'];
  const milter = await listening(bench, name, () => command, settings.env);
  return { ...milter, httpPort };
}
