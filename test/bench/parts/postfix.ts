import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../../helpers/peer-process.ts';
import { poll } from '../../helpers/poll.ts';
import { type Postfix, startPostfix } from '../../helpers/postfix.ts';
import type { Redis } from '../../helpers/redis.ts';
import type { Build } from '../builds.ts';
import type { Bench, Goal, Part, Row } from '../harness.ts';
import { CORES, cpuOf, EVERY_CORE, pin } from '../measured-process.ts';
import { cMilter, type Milter, opendkim, type Work, warmUp } from '../milters.ts';
import { newsletters, record } from '../newsletters.ts';
import type { Message } from '../recording.ts';
import { Rounds } from '../rounds.ts';
import { startService } from '../service.ts';

const SESSIONS = 20;
/** So many messages in one measurement, for each second it is to last. */
const MESSAGES_A_SECOND = 600;
const OURS = 'clickmilter';

/** Messages per second, and µs of CPU per message: of the milter, and of Postfix without it. */
type Figure = 'rate' | 'milter' | 'postfix';

/** Through a real Postfix, everything on all cores, the queue in memory, delivered to nowhere. */
export const throughPostfix: Part = {
  name: 'postfix',
  async run(bench) {
    const redis = await bench.redis();
    const milters = {
      [OURS]: await startService(bench, OURS, { redis }),
      sealed: await startService(bench, 'sealed'),
      'C no-op': await bench.attempt(() => cMilter(bench, 'noop')),
      opendkim: await bench.attempt(() => opendkim(bench)),
    };
    const works = [milters[OURS], milters['sealed']].map(replaced);
    return turnsThroughPostfix(bench, redis, milters, works, (rounds, size) => {
      const compare = (name: string, beside: string, goal?: Goal) =>
        rounds.row(titleOf(size), 'rate', '/s', name, beside, goal);
      return [
        ...compare(OURS, 'C no-op'),
        ...compare(OURS, 'no milter'),
        ...compare(OURS, 'opendkim', size === '20 KB' ? { atLeast: 1.5 } : undefined),
        ...compare('sealed', OURS),
      ];
    });
  },
};

/**
 * The same for this build and an earlier one, and for opendkim: tracked mail, and mail that nothing
 * can track.
 */
export function postfixAgainst({ cli }: Build): Part {
  return {
    name: 'postfix',
    async run(bench) {
      const redis = await bench.redis();
      const milters = {
        new: await startService(bench, 'new', { redis }),
        old: await startService(bench, 'old', { redis, cli }),
        opendkim: await bench.attempt(() => opendkim(bench)),
        'new, untracked': await startService(bench, 'new-untracked', { redis, isTracked: false }),
        'old, untracked': await startService(bench, 'old-untracked', {
          redis,
          cli,
          isTracked: false,
        }),
      };
      const works = [milters.new, milters.old].map(replaced);
      return turnsThroughPostfix(bench, redis, milters, works, (rounds, size) => [
        ...rounds.row(titleOf(size), 'rate', '/s', 'new', 'old', { atLeast: 1.1 }),
        ...rounds.row(titleOf(size), 'rate', '/s', 'new', 'no milter'),
        ...rounds.row(titleOf(size), 'rate', '/s', 'new', 'opendkim'),
        ...rounds.row(`  of ${size}: CPU of the milter`, 'milter', 'µs', 'new', 'old'),
        ...rounds.row(`  of ${size}: CPU of the milter`, 'milter', 'µs', 'new', 'opendkim'),
        ...rounds.row(`  of ${size}: CPU of Postfix`, 'postfix', 'µs', 'new', 'opendkim'),
        ...rounds.row(`  of ${size}: CPU of Postfix`, 'postfix', 'µs', 'new', 'no milter'),
        ...['new, untracked', 'old, untracked'].flatMap((name) =>
          rounds.row(titleOf(size), 'rate', '/s', name, 'no milter'),
        ),
      ]);
    },
  };
}

function replaced(milter: Milter): Work {
  return { milter, body: 'replaced' };
}

function titleOf(size: string): string {
  return `through Postfix, ${size}: accepted a second`;
}

/** @param works what warms the milters on Node up @param rowsOf the lines of the table for a size */
async function turnsThroughPostfix(
  bench: Bench,
  redis: Redis,
  milters: Readonly<Record<string, Milter | undefined>>,
  works: readonly Work[],
  rowsOf: (rounds: Rounds<Figure>, size: string) => Row[],
): Promise<Row[]> {
  await warmUp(bench, works, record(newsletters(20_000)));
  pin(process.pid, EVERY_CORE);
  pin(redis.pid, EVERY_CORE);
  const services: Record<string, Record<string, string>> = { none: {} };
  for (const milter of Object.values(milters)) {
    if (milter === undefined) continue;
    pin(milter.process.peer.pid, EVERY_CORE);
    await chmod(milter.socket, 0o777);
    services[milter.name] = { smtpd_milters: `unix:${milter.socket}` };
  }
  const postfix = await bench.attempt(() =>
    startPostfix({
      deliverTo: 1,
      services,
      main: { default_transport: 'discard', milter_default_action: 'tempfail' },
    }),
  );
  if (postfix === undefined) return [];
  try {
    const rows = [];
    for (const [size, bytes] of [
      ['20 KB', 20_000],
      ['100 KB', 100_000],
    ] as const) {
      const file = join(bench.dir, `${bytes}.eml`);
      await writeFile(file, asText(newsletters(bytes)[0]));
      const inject = (milter?: Milter) => () => accepted(bench, postfix, milter, file);
      const contenders = Object.entries(milters).map(
        ([name, milter]) => [name, milter && inject(milter)] as const,
      );
      const rounds = await Rounds.run<Figure>(bench.options.rounds, {
        'no milter': inject(),
        ...Object.fromEntries(contenders),
      });
      rows.push(...rowsOf(rounds, size));
    }
    const records = Number(await redis.cli('dbsize'));
    if (works.length > 0 && records < bench.options.rounds * SESSIONS)
      throw new Error(`only ${records} records in Redis`);
    return rows;
  } finally {
    await postfix.stop();
    pin(process.pid, CORES.load);
  }
}

/** Has smtp-source send the file many times over 20 sessions; then waits until Postfix's queue is empty. */
async function accepted(
  bench: Bench,
  postfix: Postfix,
  milter: Milter | undefined,
  file: string,
): Promise<Record<Figure, number>> {
  const messages = Math.max(SESSIONS, Math.ceil(MESSAGES_A_SECOND * bench.options.seconds));
  const args = ['-s', String(SESSIONS), '-m', String(messages), '-F', file];
  const envelope = ['-f', 'news@shop.example', '-t', 'someone@recipient.example'];
  const to = `inet:127.0.0.1:${postfix.port(milter?.name ?? 'none')}`;
  const cpu = () => [milter?.process.cpu() ?? 0, cpuOf(postfix.pid)] as const;
  const [milterBefore, postfixBefore] = cpu();
  const start = performance.now();
  // Fails where a message is not accepted.
  await promisify(execFile)(requireProgram('smtp-source', 'postfix'), [...args, ...envelope, to]);
  const seconds = (performance.now() - start) / 1000;
  await poll('the queue to empty', async () => (await postfix.queue()).length === 0, 60_000);
  const [milterAfter, postfixAfter] = cpu();
  return {
    rate: messages / seconds,
    milter: (milterAfter - milterBefore) / messages,
    postfix: (postfixAfter - postfixBefore) / messages,
  };
}

/** smtp-source adds the line ends of SMTP itself. */
function asText(message: Message | undefined): string {
  if (message === undefined) throw new Error('no message to send');
  const head = message.headers.map(({ name, value }) => `${name}: ${value}\n`).join('');
  return `${head}\n${message.body.toString('latin1').replaceAll('\r\n', '\n')}`;
}
