import { lookup } from 'node:dns/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import type { Stanza } from '../config/stanza.ts';
import { type TrackedMail, trackedMail, trackedToDefault } from '../config/tracked-mail.ts';
import { DAY_MS } from '../lib/days.ts';
import { hostName } from '../lib/host-name.ts';
import { reasonOf } from '../lib/logger.ts';
import { newMessageId } from '../link/message-id.ts';
import type { SealKeys } from '../link/seal-keys.ts';
import { createSealedLinks } from '../link/sealed-links.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import { hasSenderDomain, isMadeBy } from '../scope/tracking-domain.ts';
import { type Finding, Findings } from './doctor-finding.ts';

const WITHIN_MS = 10_000;
const RENEW_DAYS = 14;
const TARGET = 'https://example.com/clickmilter-doctor';

/** Where links of one configuration lead. */
export interface Origin {
  readonly scheme: string;
  readonly domain: string;
}

/** Every scheme and tracking domain that a scope with tracking may use. */
export function originsOf(root: Stanza, scopes: ScopeTree): readonly Origin[] {
  const origins = new Map<string, Origin>();
  const add = (mail: TrackedMail) => {
    const [scheme, value] = [String(mail.scheme.value), String(mail.domain.value)];
    if (origins.has(`${scheme}://${value}`)) return;
    const domains = hasSenderDomain(value)
      ? [...scopes.trackingDomains].filter((domain) => isMadeBy(value, domain))
      : [value];
    for (const domain of domains) origins.set(`${scheme}://${domain}`, { scheme, domain });
  };
  for (const mail of trackedToDefault(root, scopes)) add(mail);
  for (const mail of trackedMail(root, scopes)) {
    if (mail.domain.origin !== 'default') add(mail);
  }
  return [...origins.values()];
}

/** Domains that are examined at the same time. */
const AT_ONCE = 16;

/** Examines domains in parallel. Yields the findings of each in the order of the domains. */
export async function* examineDomains(
  origins: readonly Origin[],
  ...about: [keys: SealKeys | undefined, storeIsAway?: boolean]
): AsyncGenerator<readonly Finding[]> {
  const waiting: Promise<readonly Finding[]>[] = [];
  for (const origin of origins) {
    waiting.push(examineDomain(origin, ...about));
    if (waiting.length === AT_ONCE) yield (await waiting.shift()) ?? [];
  }
  yield* waiting;
}

/**
 * Follows a sealed link there as a mail program's preview would (HEAD, which is not a click). This
 * examines DNS, certificate, proxy and redirect in one request.
 * @param storeIsAway whether stored links cannot be looked up
 */
export async function examineDomain(
  { scheme, domain }: Origin,
  keys: SealKeys | undefined,
  storeIsAway = false,
): Promise<readonly Finding[]> {
  const findings = new Findings(`${scheme}://${domain}`);
  const name = hostName(domain).replace(/^\[|\]$/g, '');
  try {
    const found = await Promise.race([lookup(name, { all: true }), noAnswer()]);
    if (isIP(name) === 0) {
      findings.ok(`DNS has ${found.map(({ address }) => address).join(', ')}`);
    }
  } catch (error) {
    findings.error(`${reasonOf(error)}: ${adviceOnDns(error, name)}`);
    return findings.list;
  }
  try {
    const answer = await head(
      `${scheme}://${domain}/${keys === undefined ? 'doctor' : probe(domain, keys)}`,
    );
    if (answer.certificate !== undefined) examineCertificate(findings, answer.certificate);
    examineAnswer(findings, answer, keys !== undefined);
    if (storeIsAway) {
      findings.error(
        'stored links answer 503 there until Redis answers; only sealed ones are redirected',
      );
    }
  } catch (error) {
    findings.error(`${reasonOf(error)}: readers cannot follow links there`);
  }
  return findings.list;
}

/** A DNS server that does not answer says nothing about the record. */
export function adviceOnDns(error: unknown, name: string): string {
  return (error as NodeJS.ErrnoException).code === 'ENOTFOUND'
    ? `add an A or AAAA record for ${name}`
    : 'see /etc/resolv.conf, whose servers must answer';
}

/** The resolver may try for minutes. */
async function noAnswer(): Promise<never> {
  await setTimeout(WITHIN_MS, undefined, { ref: false });
  throw new Error(`DNS gave no answer in ${WITHIN_MS / 1000} seconds`);
}

/** The token of a link that leads to an example, and dies in a minute. */
function probe(domain: string, keys: SealKeys): string {
  const now = Math.floor(Date.now() / 1000);
  const links = createSealedLinks(
    () => keys,
    () => [],
  ).issuer.issue({
    messageId: newMessageId(),
    injectionTime: now,
    expires: now + 60,
    domain: domain.toLowerCase(),
    recipients: [],
  });
  return links.token({ target: TARGET, part: 'text' }) ?? '';
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly certificate: { readonly until: Date; readonly distrust: string | undefined } | undefined;
}

function head(url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'HEAD',
      signal: AbortSignal.timeout(WITHIN_MS),
      agent: false,
    } as const;
    // Problems of the certificate are reported beside the rest, not instead of it.
    const request = url.startsWith('https:')
      ? httpsRequest(url, { ...options, rejectUnauthorized: false })
      : httpRequest(url, options);
    request.once('error', reject);
    request.once('response', (response) => {
      response.resume();
      resolve({
        status: response.statusCode ?? 0,
        location: response.headers.location,
        certificate:
          'encrypted' in response.socket ? certificateOf(response.socket as TLSSocket) : undefined,
      });
    });
    request.end();
  });
}

function certificateOf(socket: TLSSocket): Answer['certificate'] {
  return {
    until: new Date(socket.getPeerCertificate().valid_to),
    // A string, whatever its declaration says.
    distrust: socket.authorized ? undefined : String(socket.authorizationError),
  };
}

function examineCertificate(
  findings: Findings,
  { until, distrust }: NonNullable<Answer['certificate']>,
): void {
  const days = Math.floor((until.getTime() - Date.now()) / DAY_MS);
  if (days < 0)
    findings.error(`its certificate ended on ${until.toISOString().slice(0, 10)}: renew it`);
  else if (distrust !== undefined)
    findings.error(`browsers will not trust its certificate (${distrust})`);
  else if (days < RENEW_DAYS)
    findings.warning(`its certificate ends in ${days} days: does the renewal work?`);
  else findings.ok(`its certificate is good for ${days} days`);
}

function examineAnswer(findings: Findings, { status, location }: Answer, withKeys: boolean): void {
  if (status === 302 && location === TARGET) {
    findings.ok('a link there is redirected to its target');
  } else if (status === 404 && withKeys) {
    findings.error(
      'it answers 404 to a link of ours: does the web server in front pass on the Host (or is check_host off), and ' +
        'has the redirect the same keys?',
    );
  } else if (status === 404) {
    findings.warning(
      'it answers; without the keys, doctor cannot tell whether that is our redirect',
    );
  } else {
    findings.error(
      `it answers ${status} to a link of ours: does the web server in front lead to HTTP_Listener?`,
    );
  }
}
