import type { Configuration } from '../config/configuration.ts';
import type { ListenAddress } from '../config/listen-addresses.ts';
import { connectMilter } from '../milter/client.ts';
import { describePlace } from '../service/listen.ts';
import { type Finding, Findings, messageOf } from './doctor-finding.ts';

const WITHIN_MS = 5_000;

/** Whether the service answers where the configuration says. */
export async function examineListeners(config: Configuration): Promise<readonly Finding[]> {
  const findings = new Findings('service');
  for (const address of config.milter.listen) {
    const place = `the milter, ${describePlace(address)},`;
    try {
      const client = await connectMilter(reachable(address), { timeout: WITHIN_MS });
      await client.quit();
      findings.ok(`${place} negotiates version ${client.agreed.version} of the protocol`);
    } catch (error) {
      findings.error(`${place} ${silence(error, 'clickmilter-milter.socket')}`);
    }
  }
  for (const address of config.control.listen) {
    if ('path' in address) continue;
    const place = `the control listener, ${describePlace(address)},`;
    try {
      const { host, port } = reachable(address) as { host: string; port: number };
      const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/readyz`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(WITHIN_MS) });
      const text = (await answer.text()).trim().replaceAll('\n', '; ');
      if (answer.ok) findings.ok(`${place} says: ${text}`);
      else findings.error(`${place} says it cannot work: ${text}`);
    } catch (error) {
      const { cause = error } = error as Error;
      findings.error(`${place} ${silence(cause, 'clickmilter-milter-control.socket')}`);
    }
  }
  return findings.list;
}

/** @param socket the unit that listens in the place of the configuration, where systemd does */
function silence(error: unknown, socket: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES') return 'cannot be asked by this user: run doctor as root';
  return `does not answer (${messageOf(error)}): systemctl status clickmilter-milter; systemctl cat ${socket} says where systemd listens for it`;
}

/** Where to connect for an address to listen at. */
function reachable(address: ListenAddress): { host: string; port: number } | { path: string } {
  if ('path' in address) return { path: address.path };
  const { host = '127.0.0.1', port } = address;
  if (host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}
