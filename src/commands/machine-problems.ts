import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Problem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import { groupId, userId } from '../process/user-ids.ts';
import type { Setting } from '../scope/option-value.ts';
import { type Listener, listeners } from '../service/listen.ts';

const stanzaOf = {
  milter: 'milter_listener',
  redirect: 'http_listener',
  control: 'control_listener',
} as const satisfies Record<Listener, string>;
const tlsOptions = ['tls_certificate', 'tls_key'] as const;

/**
 * Users, groups and files that the listeners need and this machine has not, or not for this user. As warnings: the
 * service may run elsewhere, or as somebody else.
 * @param roles whose listeners are checked
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
  return [
    ...owners,
    ...tlsProblems(enabled.find(({ definition }) => definition.id === stanzaOf.redirect)),
  ];
}

function tlsProblems(http: Stanza | undefined): readonly Problem[] {
  const [certificate, key] = tlsOptions.map((name) => http?.settings.get(name));
  const unreadable = [
    ...problemOf('tls_certificate', certificate, (file) => readFileSync(file)),
    ...problemOf('tls_key', key, (file) => readFileSync(file)),
  ];
  if (unreadable.length > 0 || !certificate || !key) return unreadable;
  return problemOf('tls_certificate', certificate, (file) =>
    createSecureContext({ cert: readFileSync(file), key: readFileSync(String(key.value)) }),
  );
}

/** @param use throws where the value cannot be used */
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
    const message = `${option} cannot be used here: ${(error as Error).message}`;
    return [{ severity: 'warning', message, ...setting.origin }];
  }
}
