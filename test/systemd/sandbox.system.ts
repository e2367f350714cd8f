import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { builtProgram } from '../helpers/built-program.ts';
import { freePort } from '../helpers/free-port.ts';
import { requireProgram, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';

// What of a unit's hardening Node could trip over, and can be tried without systemd: its system call filter, built
// from systemd's own sets by libseccomp, which systemd uses too.
const FILTER = `
import ctypes, os, sys
allowed, command = sys.argv[1].split(), sys.argv[2:]
lib = ctypes.CDLL('libseccomp.so.2')
lib.seccomp_init.restype = ctypes.c_void_p
EPERM, ALLOW = 0x00050001, 0x7fff0000
filter = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(EPERM)))
for name in allowed:
    number = lib.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        lib.seccomp_rule_add_array(filter, ctypes.c_uint32(ALLOW), number, 0, None)
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
if lib.seccomp_load(filter) != 0:
    sys.exit('the filter cannot be loaded')
os.execv(command[0], command)
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The system calls of a set of systemd's, such as `@system-service`. */
function callsOf(set: string): string[] {
  const listing = execFileSync('systemd-analyze', ['syscall-filter', set], { encoding: 'utf8' });
  const members = listing
    .split('\n')
    .slice(1)
    .map((line) => line.trim());
  return members.flatMap((member) => {
    if (member === '' || member.startsWith('#')) return [];
    return member.startsWith('@') ? callsOf(member) : [member];
  });
}

/** What `SystemCallFilter=` of a unit lets pass. */
function allowedBy(unit: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../systemd', unit), 'utf8');
  const allowed = new Set<string>();
  for (const [, not, sets = ''] of text.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    for (const call of sets.split(' ').flatMap(callsOf)) {
      if (not === '~') allowed.delete(call);
      else allowed.add(call);
    }
  }
  // systemd always lets these pass, to be able to start anything at all.
  for (const call of [...callsOf('@default'), 'execve']) allowed.add(call);
  return [...allowed];
}

test('two workers serve under the system call filter of the units', async () => {
  const allowed = allowedBy('clickmilter-milter.service');
  expect(allowed).toEqual(allowedBy('clickmilter-redirect.service'));
  expect(allowed).not.toContain('mount');
  const [milter, http] = [await freePort(), await freePort()];
  const config = join(folder, 'clickmilter.conf');
  writeFileSync(
    config,
    `workers = 2
     state_directory = "${folder}/var"
     Milter_Listener { Listen "127.0.0.1:${milter}" { } }
     HTTP_Listener { Listen "127.0.0.1:${http}" { } }
     Control_Listener { enable = off }
     ESMTP_Listener { click_tracking_enabled = on }`,
  );
  // Before, since root, unlike the user of the service, gives the key to the folder's owner.
  execFileSync(process.execPath, [builtProgram, '--config', config, 'keygen']);
  const service = startPeer(requireProgram('python3', 'python3'), [
    '-c',
    FILTER,
    allowed.join(' '),
    process.execPath,
    builtProgram,
    '--config',
    config,
    'run',
  ]);
  try {
    await poll('both workers to serve', () => {
      if (!service.running) throw new Error(service.output());
      return service.output().includes('redirect on');
    });
    const client = await connectMilter({ port: milter });
    const message = Buffer.from(
      'Content-Type: text/html\r\n\r\n<a href="https://example.com/">x</a>\r\n',
    );
    expect((await client.send({ message })).message.toString()).toContain('http://localhost:8080/');
    await client.quit();
    expect((await fetch(`http://127.0.0.1:${http}/nothing`)).status).toBe(404);
  } finally {
    expect(await service.stop(), service.output()).toBe(0);
  }
});
