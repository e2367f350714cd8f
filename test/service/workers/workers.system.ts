import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

type Line = Record<string, unknown>;

let folder: string;
let path: string;
const started: Fixture[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'workers-'));
  path = join(folder, 'socket');
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((fixture) => fixture.end()));
  rmSync(folder, { recursive: true });
});

class Fixture {
  readonly process: ChildProcess;
  readonly lines: Line[] = [];
  readonly #exit: Promise<unknown[]>;

  constructor(settings: object, command: readonly string[] = []) {
    const [file = '', ...args] = [
      ...command,
      process.execPath,
      '--import',
      'tsx',
      join(import.meta.dirname, 'cluster-fixture.ts'),
    ];
    this.process = spawn(file, args, {
      env: { ...process.env, FIXTURE: JSON.stringify({ path, ...settings }) },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#exit = once(this.process, 'exit');
    createInterface({ input: this.process.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.lines.push(JSON.parse(line));
    });
    started.push(this);
  }

  /** The first line after `from` that has all of these fields. */
  line(fields: Line, from = 0): Promise<Line> {
    return expect
      .poll(() => this.lines.slice(from).find((line) => matches(line, fields)))
      .toBeDefined()
      .then(() => this.lines.slice(from).find((line) => matches(line, fields)) ?? {});
  }

  order(what: string): void {
    this.process.stdin?.write(`${what}\n`);
  }

  reload(configuration: object): void {
    this.order(JSON.stringify(configuration));
  }

  async ask(what: string): Promise<unknown> {
    const from = this.lines.length;
    this.order(what);
    await expect.poll(() => this.lines.slice(from).some((line) => 'answers' in line)).toBe(true);
    return this.lines.slice(from).find((line) => 'answers' in line)?.['answers'];
  }

  async exitCode(): Promise<unknown> {
    return (await this.#exit)[0];
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await this.#exit;
  }
}

function matches(line: Line, fields: Line): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}

/** A dead process nobody has waited for yet is not running. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Whether nobody listens there. */
async function refused(path: string): Promise<boolean> {
  const socket = net.connect(path);
  const outcome = await Promise.race([
    once(socket, 'connect').then(() => false),
    once(socket, 'error').then(() => true),
  ]).catch(() => true);
  socket.destroy();
  return outcome;
}

/** A connection, and the worker that accepted it. */
async function connect(): Promise<{ socket: net.Socket; pid: number }> {
  const socket = net.connect(path);
  const [data] = await once(socket, 'data');
  return { socket, pid: Number(String(data)) };
}

async function order(what: string): Promise<number> {
  const { socket, pid } = await connect();
  socket.on('error', () => {});
  socket.write(what);
  return pid;
}

describe('Workers', () => {
  test('start all, answer questions one by one, and stop on order after finishing what they began', async () => {
    const fixture = new Fixture({ workers: { count: 2 } });
    await fixture.line({ event: 'ready', worker: 1 });
    await fixture.line({ event: 'ready', worker: 2 });
    expect(await fixture.ask('slot')).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'fulfilled', value: 2 },
    ]);

    const { socket } = await connect();
    fixture.process.kill('SIGTERM');
    socket.write('still here?');
    expect(String((await once(socket, 'data'))[0])).toBe('still here?');
    socket.end();
    expect(await fixture.exitCode()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test('one that cannot answer does not keep the others from answering', async () => {
    const fixture = new Fixture({ workers: { count: 2 } });
    await fixture.line({ event: 'ready', worker: 2 });
    expect(await fixture.ask('odd')).toMatchObject([
      { status: 'rejected' },
      { status: 'fulfilled' },
    ]);
    expect(await fixture.ask('never')).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
    expect(await fixture.ask('nonsense')).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
  });

  test('what neither side expects is no matter to either', async () => {
    const fixture = new Fixture({ workers: { count: 2, configuration: { name: 'one' } } });
    await fixture.line({ event: 'ready', worker: 2 });
    fixture.order('garbage');
    const { socket } = await connect();
    socket.write('garbage');
    expect(String((await once(socket, 'data'))[0])).toBe('sent');
    expect(await fixture.ask('slot')).toMatchObject([{ value: 1 }, { value: 2 }]);
    expect(await fixture.ask('constructor')).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
    expect(fixture.lines.filter(({ event }) => event !== undefined && event !== 'ready')).toEqual(
      [],
    );
  });

  test('one that dies is replaced, later each time, while the others serve', async () => {
    const fixture = new Fixture({ workers: { count: 2, backoffMs: [50, 10_000] } });
    await fixture.line({ event: 'ready', worker: 2 });
    const first = await order('crash');
    const death = await fixture.line({ event: 'died', pid: first, code: 3, retryMs: 50, left: 1 });
    const replaced = await fixture.line(
      { event: 'ready', worker: death['worker'] },
      fixture.lines.indexOf(death),
    );
    process.kill(Number(replaced['pid']), 'SIGKILL');
    await fixture.line({ event: 'died', pid: replaced['pid'], signal: 'SIGKILL', retryMs: 100 });
    await connect().then(({ socket }) => socket.destroy());
  });

  // Of these, node:child_process tells as of EAGAIN (the first) and as of ENOMEM (the second).
  test.each([
    { fails: 'forks find no program', error: 'spawn /nonexistent ENOENT' },
    { fails: 'forks are refused', error: 'spawn E2BIG' },
  ])(
    'one that cannot be forked is tried again, and keeps nobody from stopping: $fails',
    async ({ fails, error }) => {
      const fixture = new Fixture({ workers: { count: 1, backoffMs: [300, 300] } });
      await fixture.line({ event: 'ready' });
      fixture.order(fails);
      await order('crash');
      await fixture.line({ event: 'died', worker: 1, error });
      fixture.order('forks succeed');
      await expect
        .poll(() => fixture.lines.filter((line) => line['event'] === 'ready').length)
        .toBe(2);

      fixture.order(fails);
      const from = fixture.lines.length;
      await order('crash');
      await fixture.line({ event: 'died', error }, from);
      fixture.process.kill('SIGTERM');
      expect(await fixture.exitCode()).toBe(0);
    },
  );

  test('a reload reaches those that serve, and those that start later', async () => {
    const fixture = new Fixture({ workers: { count: 2, configuration: { name: 'one' } } });
    await fixture.line({ event: 'ready', worker: 2 });
    expect(await fixture.ask('configuration')).toMatchObject([{ value: 'one' }, { value: 'one' }]);
    fixture.reload({ name: 'two' });
    await fixture.line({ reloaded: null });
    expect(await fixture.ask('configuration')).toMatchObject([{ value: 'two' }, { value: 'two' }]);

    const pid = await order('crash');
    const death = await fixture.line({ event: 'died', pid });
    await fixture.line({ event: 'ready' }, fixture.lines.indexOf(death));
    expect(await fixture.ask('configuration')).toMatchObject([{ value: 'two' }, { value: 'two' }]);
  });

  test('a reload that one cannot follow says so, and counts for the others', async () => {
    const fixture = new Fixture({ workers: { count: 2, configuration: { name: 'one' } } });
    const { pid } = await fixture.line({ event: 'ready', worker: 1 });
    await fixture.line({ event: 'ready', worker: 2 });
    fixture.reload({ name: 'two', refusedBy: pid });
    await fixture.line({ reloaded: 'Error: worker 1: reload: not with me' });
    expect(await fixture.ask('configuration')).toMatchObject([{ value: 'one' }, { value: 'two' }]);
  });

  test.each([
    { what: 'it is ready with the new configuration', refused: false },
    { what: 'it is ended and tried again where it cannot follow', refused: true },
  ])('a reload while one starts: $what', async ({ refused }) => {
    const configuration = { name: 'one', startMs: 1_000 };
    const fixture = new Fixture({ workers: { count: 2, configuration } });
    await fixture.line({ event: 'ready', worker: 2 });
    const death = await fixture.line({ event: 'died', pid: await order('crash') });
    const from = fixture.lines.indexOf(death);
    const { pid } = await fixture.line({ given: 'one' }, from);
    fixture.reload({ name: 'two', ...(refused && { refusedBy: pid }) });
    await fixture.line({ reloaded: null });
    expect(fixture.lines.slice(from).some((line) => line['event'] === 'ready')).toBe(false);

    if (refused) await fixture.line({ event: 'died', pid, signal: 'SIGKILL' }, from);
    const ready = await fixture.line({ event: 'ready' }, from);
    expect(ready['pid'] === pid).toBe(!refused);
    expect(await fixture.ask('configuration')).toMatchObject([{ value: 'two' }, { value: 'two' }]);
  });

  test('one that hangs is killed and replaced', async () => {
    const fixture = new Fixture({ workers: { count: 2, heartbeatMs: 100, hungAfter: 20 } });
    await fixture.line({ event: 'ready', worker: 2 });
    const pid = await order('hang');
    await fixture.line({ event: 'hung', pid, silentMs: 2100 });
    const death = await fixture.line({ event: 'died', pid, signal: 'SIGKILL' });
    await fixture.line({ event: 'ready', worker: death['worker'] }, fixture.lines.indexOf(death));
  });

  test('a service that was halted as a whole kills nobody when it goes on', async () => {
    const fixture = new Fixture({ workers: { count: 2, heartbeatMs: 50, hungAfter: 40 } });
    const { pid } = await fixture.line({ event: 'ready', worker: 1 });
    await fixture.line({ event: 'ready', worker: 2 });
    const all = fixture.lines.flatMap((line) =>
      line['event'] === 'ready' ? Number(line['pid']) : [],
    );
    for (const one of [fixture.process.pid ?? 0, ...all]) process.kill(one, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // longer than 40 heartbeats of 50 ms
    for (const one of [...all, fixture.process.pid ?? 0]) process.kill(one, 'SIGCONT');
    expect(await fixture.ask('slot')).toMatchObject([{ value: 1 }, { value: 2 }]);
    expect(fixture.lines.filter((line) => line['pid'] === pid)).toMatchObject([{ event: 'ready' }]);
  });

  test('one over its memory limit hands over to a successor, and still finishes', async () => {
    const fixture = new Fixture({
      workers: {
        count: 1,
        heartbeatMs: 100,
        hungAfter: 100,
        maxRss: 220_000_000,
        backoffMs: [50, 300],
      },
    });
    await fixture.line({ event: 'ready', worker: 1 });
    const { socket, pid } = await connect();
    socket.write('grow');
    await fixture.line({ event: 'too-large', pid });
    await expect
      .poll(() => fixture.lines.filter((line) => line['event'] === 'ready').length)
      .toBe(2);
    await expect
      .poll(async () => {
        const next = await connect();
        next.socket.destroy();
        return next.pid === pid;
      })
      .toBe(false);
    fixture.reload({ name: 'two' });
    await fixture.line({ reloaded: null });
    expect(await fixture.ask('configuration')).toMatchObject([{ value: 'two' }, { value: 'two' }]);
    socket.write('still here?');
    expect(String((await once(socket, 'data'))[0])).toBe('still here?');
    socket.destroy();
    expect(fixture.lines.some((line) => line['event'] === 'died')).toBe(false);
  });

  test('where its successor is too large as well, it gets the grace to finish, and then the next one comes', async () => {
    const workers = {
      count: 1,
      heartbeatMs: 50,
      hungAfter: 200,
      maxRss: 1,
      backoffMs: [50, 500],
      graceMs: 300,
    };
    const fixture = new Fixture({ workers });
    await fixture.line({ event: 'ready' });
    const { pid } = await connect(); // and stays open
    await fixture.line({ event: 'overdue', pid });
    await expect
      .poll(() => fixture.lines.filter((line) => line['event'] === 'ready').length)
      .toBeGreaterThan(2);
  });

  test('where none can keep the memory limit, they take turns slowly, and one at most finishes', async () => {
    const workers = {
      count: 1,
      heartbeatMs: 50,
      hungAfter: 200,
      maxRss: 1,
      backoffMs: [50, 1_000],
    };
    const fixture = new Fixture({ workers });
    const events = (event: string) => fixture.lines.filter((line) => line['event'] === event);
    await fixture.line({ event: 'ready' });
    const { socket, pid } = await connect();
    await fixture.line({ event: 'too-large', pid });
    await expect.poll(() => events('ready').length).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // two turns and a half
    expect(events('too-large')).toHaveLength(1);

    const from = fixture.lines.length;
    socket.destroy();
    await fixture.line({ event: 'too-large' }, from);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(events('too-large').length).toBeLessThan(5);
  });

  test('one that does not finish in time is killed', async () => {
    const fixture = new Fixture({ workers: { count: 1, graceMs: 300 } });
    await fixture.line({ event: 'ready', worker: 1 });
    const { pid } = await connect(); // and stays open
    fixture.process.kill('SIGTERM');
    expect(await fixture.exitCode()).toBe(0);
    expect(fixture.lines.at(-1)).toEqual({ worker: 1, pid, event: 'overdue' });
  });

  test('one that fails at the first start fails the start, with its exit code', async () => {
    const fixture = new Fixture({ workers: { count: 2 }, failAtStart: 2 });
    expect(await fixture.exitCode()).toBe(78);
    expect(fixture.lines).toEqual([
      { starting: true },
      { failed: 'WorkerFailed: worker 2 ended while starting (exit code 78)' },
    ]);
  });

  test('a stop in the middle of the start is no failure', async () => {
    const fixture = new Fixture({ workers: { count: 2 } });
    await fixture.line({ starting: true });
    fixture.process.kill('SIGTERM');
    expect(await fixture.exitCode()).toBe(0);
  });

  test('workers of a primary that was killed do not outlive it', async () => {
    const fixture = new Fixture({ workers: { count: 1 } });
    const { pid } = await fixture.line({ event: 'ready', worker: 1 });
    await fixture.end();
    await expect.poll(() => isRunning(Number(pid))).toBe(false);
  });

  describe('that outlive their primary', () => {
    const settings = { outlivesPrimary: true, workers: { count: 2 } };

    test.each([
      { end: 'SIGTERM', code: 0 },
      { end: 'SIGKILL', code: null },
    ] as const)('stop listening and finish what they began: $end', async ({ end, code }) => {
      const old = new Fixture(settings);
      await old.line({ event: 'ready', worker: 1 });
      await old.line({ event: 'ready', worker: 2 });
      const open = await Promise.all(Array.from({ length: 8 }, () => connect()));
      old.process.kill(end);
      expect(await old.exitCode()).toBe(code);

      // A killed one leaves its socket file behind, and nobody listens there.
      await expect.poll(() => refused(path)).toBe(true);
      if (end === 'SIGKILL') rmSync(path);
      const next = new Fixture(settings);
      await next.line({ event: 'ready', worker: 2 });
      const served = await connect();
      expect(open.map(({ pid }) => pid)).not.toContain(served.pid);

      for (const { socket } of open) {
        socket.write('still here?');
        expect(String((await once(socket, 'data'))[0])).toBe('still here?');
      }
      for (const { socket } of open) socket.destroy();
      await expect.poll(() => open.some(({ pid }) => isRunning(pid))).toBe(false);
      served.socket.write('still here?');
      expect(String((await once(served.socket, 'data'))[0])).toBe('still here?');
    });

    test('one that does not stop listening is killed', async () => {
      const fixture = new Fixture({ ...settings, workers: { count: 1, hungAfter: 100 } });
      await fixture.line({ event: 'ready' });
      const { pid } = await connect();
      process.kill(pid, 'SIGSTOP');
      fixture.process.kill('SIGTERM');
      expect(await fixture.exitCode()).toBe(0);
      expect(fixture.lines.at(-1)).toEqual({ worker: 1, pid, event: 'overdue' });
      expect(isRunning(pid)).toBe(false);
    });
  });
});
