import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Configuration } from '../config/configuration.ts';
import { changedSettings } from '../config/settings.ts';
import { definitionOf } from '../config/stanzas.ts';
import { reasonOf } from '../lib/logger.ts';
import { connectMilter } from '../milter/client.ts';
import { type InUse, readInUse } from '../service/control.ts';
import { describePlace, listeners, stanzaOf } from '../service/listen.ts';
import { type Finding, Findings } from './doctor-finding.ts';

const WITHIN_MS = 5_000;
/** Settings that a finding names. */
const MAX_NAMED = 5;
const CONTROL_UNITS = [
  'clickmilter-milter-control.socket',
  'clickmilter-redirect-control.socket',
  'clickmilter-web-control.socket',
] as const;
const MILTER_UNIT = 'clickmilter-milter.socket';
const run = promisify(execFile);

/** Examines whether the service answers where the configuration says. */
export async function examineListeners(config: Configuration): Promise<readonly Finding[]> {
  const findings = new Findings('service');
  const elsewhere = await milterElsewhere(config);
  if (elsewhere !== undefined) findings.error(elsewhere);
  for (const address of config.milter.listen) {
    const place = `the milter, ${describePlace(address)},`;
    try {
      const client = await connectMilter(reachable(address), { timeout: WITHIN_MS });
      await client.quit();
      findings.ok(`${place} negotiates version ${client.agreed.version} of the protocol`);
    } catch (error) {
      if (elsewhere === undefined) findings.error(`${place} ${silence(error, MILTER_UNIT)}`);
    }
  }
  for (const [address, unit] of await controlListeners(config)) {
    if ('path' in address) continue;
    const place = `the control listener, ${describePlace(address)},`;
    try {
      const { host, port } = reachable(address) as { host: string; port: number };
      const ask = (path: string) =>
        fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`, {
          signal: AbortSignal.timeout(WITHIN_MS),
        });
      const answer = await ask('/readyz');
      const text = (await answer.text()).trim().replaceAll('\n', '; ');
      if (answer.ok) findings.ok(`${place} reports: ${text}`);
      else findings.error(`${place} reports a failure: ${text}`);
      const inUse = readInUse(await (await ask('/config')).json().catch(() => undefined));
      examineSettings(findings, place, config, inUse, unit);
    } catch (error) {
      const { cause = error } = error as Error;
      findings.error(`${place} ${silence(cause, unit ?? CONTROL_UNITS[0])}`);
    }
  }
  return findings.list;
}

/**
 * Whether systemd listens for the milter, and at none of the addresses of the configuration, which
 * the socket replaces.
 * @returns what is wrong, and what to do
 */
export async function milterElsewhere({ milter }: Configuration): Promise<string | undefined> {
  const { isActive, addresses } = await socketUnit(MILTER_UNIT);
  const all = (one: string) => one.replace('[::]:', '*:');
  const configured = milter.listen.map(describePlace);
  const opened = addresses.map(describePlace);
  if (!isActive || opened.some((one) => configured.map(all).includes(all(one)))) return undefined;
  return `systemd listens for the milter at ${opened.join(', ')}, not at ${configured.join(', ')} as the configuration says: change the one or the other (systemctl edit ${MILTER_UNIT})`;
}

/**
 * Whether the service has the settings of the file in use.
 * @param unit the socket unit of systemd, where there is one
 */
function examineSettings(
  findings: Findings,
  place: string,
  config: Configuration,
  inUse: InUse | undefined,
  unit: string | undefined,
): void {
  const service = unit === undefined ? undefined : serviceOf(unit);
  const restart = service === undefined ? 'restart the service' : `systemctl restart ${service}`;
  if (inUse === undefined) {
    findings.warning(
      `${place} does not report the settings in use, so it runs an older version: ${restart}`,
    );
    return;
  }
  if (inUse.file !== config.file) {
    findings.warning(
      `${place} belongs to a service that runs with ${inUse.file}, not ${config.file}`,
    );
    return;
  }
  const others = listeners.filter((role) => !inUse.roles.includes(role));
  const foreign = others.map((role) => definitionOf(stanzaOf[role]).name);
  const isOurs = (path: string) => !foreign.includes(path.split(' ')[0] ?? '');
  const changed = changedSettings(inUse.processes, config.settings());
  const [reloads, restarts] = [changed.reload.filter(isOurs), changed.restart.filter(isOurs)];
  if (reloads.length > 0) {
    const reload = service === undefined ? `kill -HUP ${inUse.pid}` : `systemctl reload ${service}`;
    findings.warning(`changed since the last reload: ${named(reloads)}: ${reload}`);
  }
  if (restarts.length > 0) {
    findings.warning(`takes effect at a restart: ${named(restarts)}: ${restart}`);
  }
  if (reloads.length + restarts.length === 0) {
    findings.ok(`${place} belongs to a service that uses the settings of the file`);
  }
}

function named(paths: readonly string[]): string {
  const rest = paths.length - MAX_NAMED;
  return paths.slice(0, MAX_NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/**
 * Where health and metrics are served, and by which socket unit: with the systemd units each of the
 * services has a control listener of its own, in the place of the configured one.
 */
async function controlListeners(
  config: Configuration,
): Promise<readonly (readonly [UnitAddress, string | undefined])[]> {
  const found: (readonly [UnitAddress, string])[] = [];
  for (const unit of CONTROL_UNITS) {
    const { isActive, addresses } = await socketUnit(unit);
    for (const address of isActive ? addresses : []) found.push([address, unit]);
  }
  return found.length > 0
    ? found
    : config.control.listen.map((address) => [address, undefined] as const);
}

/** Where a unit of systemd listens. */
export type UnitAddress =
  | { readonly host?: string; readonly port: number }
  | { readonly path: string };

/** A socket unit of systemd. */
interface SocketUnit {
  /** Whether systemd listens now. */
  readonly isActive: boolean;
  /** Whether it listens after a boot. */
  readonly isEnabled: boolean;
  /** Whether it is installed, and does not listen after a boot. */
  readonly isDisabled: boolean;
  readonly addresses: readonly UnitAddress[];
}

/** Asks systemd for a socket unit. Without systemd, it is none of these. */
export async function socketUnit(name: string): Promise<SocketUnit> {
  const properties = ['Listen', 'ActiveState', 'UnitFileState'];
  const asked = run('systemctl', ['show', ...properties.map((one) => `--property=${one}`), name]);
  const { stdout } = await asked.catch(() => ({ stdout: '' }));
  // `Listen=127.0.0.1:8894 (Stream)` or `Listen=/run/clickmilter/web.sock (Stream)`
  const listens = [...stdout.matchAll(/^Listen=(.*) \(Stream\)$/gm)];
  return {
    isActive: /^ActiveState=active$/m.test(stdout),
    isEnabled: /^UnitFileState=enabled/m.test(stdout),
    isDisabled: /^UnitFileState=disabled$/m.test(stdout),
    addresses: listens.map(([, address = '']) => unitAddress(address)),
  };
}

function unitAddress(text: string): UnitAddress {
  const [, host = '', port] = /^(?:\[?([^/\]]*)\]?:)?(\d+)$/.exec(text) ?? [];
  if (port === undefined) return { path: text };
  return { port: Number(port), ...(host !== '' && { host }) };
}

/** @param socket the unit that listens in the place of the configuration, where systemd does */
function silence(error: unknown, socket: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES') return 'refuses this user: run doctor as root';
  return `does not answer (${reasonOf(error)}): systemctl status ${serviceOf(socket)}; systemctl cat ${socket} shows where systemd listens for it`;
}

function serviceOf(socket: string): string {
  return socket.replace(/(?:-control)?\.socket$/, '');
}

/** Where to connect for an address to listen at. */
function reachable(address: UnitAddress): { host: string; port: number } | { path: string } {
  if ('path' in address) return { path: address.path };
  const { host = '127.0.0.1', port } = address;
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}
