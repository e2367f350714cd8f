import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sockets-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a socket opened by systemd (systemd-socket-activate)', () => {
  test.each([1, 2])('is served by %d workers, which open none of their own', async (count) => {
    const path = join(folder, 'socket');
    const launcher = spawn(
      'systemd-socket-activate',
      [
        `--listen=${path}`,
        '--fdname=milter',
        `--setenv=FIXTURE=${JSON.stringify({ workers: { count } })}`,
        `--setenv=PATH=${process.env['PATH']}`,
        process.execPath,
        '--import',
        join(import.meta.dirname, '../../node_modules/tsx/dist/loader.mjs'),
        join(import.meta.dirname, 'workers/cluster-fixture.ts'),
      ],
      { stdio: ['pipe', 'inherit', 'inherit'] },
    );
    const ended = once(launcher, 'exit');
    try {
      // The first connection starts the service, and waits in the backlog meanwhile.
      const socket = await connected(path);
      const [greeting] = await once(socket, 'data');
      expect(Number(String(greeting))).not.toBe(launcher.pid); // which has become the primary
      socket.end();
    } finally {
      launcher.kill('SIGTERM');
      await ended;
    }
  });
});

async function connected(path: string): Promise<net.Socket> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const socket = net.connect(path);
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    if (outcome) return socket;
    if (Date.now() > deadline) throw new Error(`nothing listens on ${path}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
