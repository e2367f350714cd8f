import type { Configuration } from '../config/configuration.ts';
import { isLoopback, parseAddress } from '../lib/address.ts';
import { reasonOf } from '../lib/logger.ts';
import { describePlace } from '../service/listen.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { socketUnit, type UnitAddress } from './doctor-listeners.ts';
import { examineMode } from './doctor-state.ts';
import { RUN_AS } from './exit-code.ts';
import type { SystemUser } from './service-user.ts';

/** Where systemd listens for the page. */
const UNIT = 'clickmilter-web.socket';

/** Examines who could look at the engagement page. */
export async function examinePage(
  { web }: Configuration,
  user?: SystemUser,
): Promise<readonly Finding[]> {
  const findings = new Findings('engagement page');
  if (web.listen.length === 0) {
    findings.ok('it is off, and nobody can look');
    return findings.list;
  }
  const { isActive, isEnabled, isDisabled, addresses } = await socketUnit(UNIT);
  const hasLogin = web.tokenFile !== undefined;
  for (const address of isActive || isEnabled ? addresses : web.listen) {
    const message = `${describePlace(address)}: ${audience(address, hasLogin)}`;
    if (isReachedFromOutside(address) && !hasLogin) findings.error(`${message}: set token_file`);
    else findings.ok(message);
  }
  if (isEnabled && !isActive) {
    findings.warning(
      `${UNIT} is not active, so nobody can look now: systemctl status clickmilter-web.service`,
    );
  }
  if (isDisabled && !isActive) {
    findings.warning(
      `${UNIT} is not enabled, so nobody can look where systemd starts the page: systemctl enable --now ${UNIT}`,
    );
  }
  if (web.tokenFile !== undefined) {
    const harm = 'can look, and block, unblock and retarget links';
    await examineMode(findings, web.tokenFile, harm, user).catch((error) =>
      findings.error(`${reasonOf(error)}: ${RUN_AS}`),
    );
  }
  return findings.list;
}

/** Who could look there, and change links. */
function audience(address: UnitAddress, hasLogin: boolean): string {
  const withToken = hasLogin ? '; those with the token of token_file may change links' : '';
  if ('path' in address) return 'every user who may connect to it could look, and change links';
  if (!isReachedFromOutside(address)) return `every user of this host could look${withToken}`;
  return hasLogin
    ? 'those on other hosts who have the token of token_file could look, and change links'
    : 'other hosts reach it';
}

function isReachedFromOutside(address: UnitAddress): boolean {
  if ('path' in address) return false;
  const parsed = parseAddress(address.host ?? '');
  return parsed === undefined || !isLoopback(parsed);
}
