import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { NetworkSet } from '../click/networks.ts';
import { configuredStore } from '../config/cross-checks.ts';
import type { Problem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import { readWhole } from '../lib/files.ts';
import { reasonOf } from '../lib/logger.ts';
import { readOwnPages } from '../redirect/own-pages.ts';
import type { Setting } from '../scope/option-value.ts';
import { groupId, type Listener, listeners, stanzaOf, userId } from '../service/listen.ts';
import { readLoginToken } from '../web/login-token.ts';

/** Larger than any chain of certificates. */
const MAX_PEM_BYTES = 1024 * 1024;

/**
 * Finds users, groups and files of the configuration that this machine does not have, or that this
 * user may not use. The service would not start.
 * @param roles the roles whose listeners are checked
 */
export function machineProblems(
  root: Stanza,
  roles: readonly Listener[] = listeners,
): readonly Problem[] {
  const enabled = roles
    .flatMap((role) => root.child(stanzaOf[role]) ?? [])
    .filter((one) => one.isEnabled);
  const sockets = enabled.flatMap((listener) => listener.childrenOf('socket'));
  const owners = sockets
    .filter((socket) => socket.isEnabled && !/:\d+$/.test(socket.label ?? ''))
    .flatMap(({ settings }) => [
      ...problemOf('file_owner', settings.get('file_owner'), userId),
      ...problemOf('file_group', settings.get('file_group'), groupId),
    ]);
  const http = enabled.find(({ definition }) => definition.id === stanzaOf.redirect);
  const web = enabled.find(({ definition }) => definition.id === stanzaOf.web);
  const { stanza } = configuredStore(root);
  const server = stanza === undefined ? undefined : root.child(stanza);
  return [
    ...owners,
    ...tlsProblems(http),
    ...problemOf('pages', http?.settings.get('pages'), readOwnPages),
    ...problemOf('token_file', web?.settings.get('token_file'), readLoginToken),
    ...tlsProblems(server),
    ...networkProblems(root, http),
  ];
}

/** Checks the files of networks, which the redirect endpoint reads. */
function networkProblems(root: Stanza, http: Stanza | undefined): readonly Problem[] {
  const setting = http && root.child('events')?.settings.get('automatic_networks');
  const entries = Array.isArray(setting?.value) ? setting.value.map(String) : [];
  return problemOf('automatic_networks', setting, () => new NetworkSet(entries));
}

/** Checks the TLS files of a stanza: each must be readable PEM, and certificate and key a pair. */
function tlsProblems(stanza: Stanza | undefined): readonly Problem[] {
  const [ca, certificate, key] = ['tls_ca', 'tls_certificate', 'tls_key'].map((name) =>
    stanza?.settings.get(name),
  );
  const alone = [
    ...problemOf('tls_ca', ca, (file) => createSecureContext({ ca: readCertificates(file) })),
    ...problemOf('tls_certificate', certificate, readCertificates),
    ...problemOf('tls_key', key, (file) => createSecureContext({ key: readPem(file) })),
  ];
  if (alone.length > 0 || !certificate || !key) return alone;
  return problemOf('tls_certificate', certificate, (file) =>
    createSecureContext({ cert: readPem(file), key: readPem(String(key.value)) }),
  );
}

/**
 * @throws Error if the file has no valid certificate, which OpenSSL would ignore in a file of
 * authorities
 */
function readCertificates(file: string): Buffer {
  const pem = readPem(file);
  const found = pem.toString('latin1').match(/-----BEGIN [^-]*CERTIFICATE-----[^-]+-----END/g);
  if (found === null) throw new Error('the file has no PEM certificate');
  new X509Certificate(pem);
  return pem;
}

function readPem(file: string): Buffer {
  return readWhole(file, MAX_PEM_BYTES);
}

/** @param use throws if the value cannot be used */
function problemOf(
  option: string,
  setting: Setting | undefined,
  use: (value: string) => unknown,
): readonly Problem[] {
  if (setting === undefined) return [];
  try {
    use(String(setting.value));
    return [];
  } catch (error) {
    const message = `${option} cannot be used here: ${reasonOf(error)}`;
    return [{ severity: 'error', message, ...setting.origin }];
  }
}
