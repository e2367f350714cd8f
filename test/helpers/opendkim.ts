import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';

/** OpenDKIM twice, a signer and a verifier, that share a key and need no DNS. */
export interface Opendkim {
  /** For smtpd_milters. */
  readonly signer: string;
  /** Adds Authentication-Results. */
  readonly verifier: string;
  stop(): Promise<void>;
}

/** Starts both for `domain`. */
export async function startOpendkim(domain: string): Promise<Opendkim> {
  const program = requireProgram('opendkim', 'opendkim');
  const dir = await mkdtemp(join(tmpdir(), 'clickmilter-opendkim-'));
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const key = join(dir, 'key.pem');
  const keys = join(dir, 'public-keys');
  await writeFile(key, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  await writeFile(keys, `test._domainkey.${domain} v=DKIM1; k=rsa; p=${p}\n`);

  const start = async (mode: 's' | 'v') => {
    const port = await freePort();
    const conf = join(dir, `${mode}.conf`);
    // Mail from internal hosts is signed, and that of others verified.
    await writeFile(
      conf,
      `Mode ${mode}
Domain ${domain}
Selector test
KeyFile ${key}
TestPublicKeys ${keys}
Socket inet:${port}@127.0.0.1
InternalHosts ${mode === 's' ? '0.0.0.0/0' : '192.0.2.1'}
RequireSafeKeys no
Background no
Syslog no
`,
    );
    const peer = startPeer(program, ['-f', '-x', conf]);
    await poll('opendkim to listen', async () => {
      if (!peer.running) throw new Error(`opendkim ended at once:\n${peer.output()}`);
      return listens(port);
    });
    return { peer, address: `inet:127.0.0.1:${port}` };
  };
  const signer = await start('s');
  const verifier = await start('v');
  return {
    signer: signer.address,
    verifier: verifier.address,
    stop: async () => {
      await Promise.all([signer.peer.stop(), verifier.peer.stop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });
}
