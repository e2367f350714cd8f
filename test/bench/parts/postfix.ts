import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../../helpers/peer-process.ts';
import { poll } from '../../helpers/poll.ts';
import { type Postfix, startPostfix } from '../../helpers/postfix.ts';
import type { Bench, Part } from '../harness.ts';
import { CORES, EVERY_CORE, pin } from '../measured-process.ts';
import { cMilter, type Milter, opendkim, warmUp } from '../milters.ts';
import { newsletters, record } from '../newsletters.ts';
import type { Message } from '../recording.ts';
import { Rounds } from '../rounds.ts';
import { startService } from '../service.ts';

const SESSIONS = 20;
/** So many messages in one measurement, for each second it is to last. */
const MESSAGES_A_SECOND = 600;
const OURS = 'clickmilter';

/** Through a real Postfix, everything on all cores, the queue in memory, delivered to nowhere. */
export const throughPostfix: Part = {
  name: 'postfix',
  async run(bench) {
    const redis = await bench.redis();
    const milters: Readonly<Record<string, Milter | undefined>> = {
      [OURS]: await startService(bench, OURS, { redis }),
      sealed: await startService(bench, 'sealed'),
      'C no-op': await bench.attempt(() => cMilter(bench, 'noop')),
      opendkim: await bench.attempt(() => opendkim(bench)),
    };
    const onNode = [milters[OURS], milters['sealed']].map(
      (milter) => milter && ({ milter, body: 'replaced' } as const),
    );
    await warmUp(bench, onNode, record(newsletters(20_000)));
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
      for (const { size, bytes, goal } of [
        { size: '20 KB', bytes: 20_000, goal: 0.9 },
        { size: '100 KB', bytes: 100_000, goal: 0.75 },
      ]) {
        const file = join(bench.dir, `${bytes}.eml`);
        await writeFile(file, asText(newsletters(bytes)[0]));
        const inject = (service: string) => () => accepted(bench, postfix, service, file);
        const contenders = Object.entries(milters).map(
          ([name, milter]) => [name, milter && inject(milter.name)] as const,
        );
        const rounds = await Rounds.run<'rate'>(bench.options.rounds, {
          'no milter': inject('none'),
          ...Object.fromEntries(contenders),
        });
        const compare = (name: string, beside: string, goal?: { atLeast: number }) =>
          rounds.row(
            `through Postfix, ${size}: accepted a second`,
            'rate',
            '/s',
            name,
            beside,
            goal,
          );
        rows.push(
          ...compare(OURS, 'C no-op', { atLeast: goal }),
          ...compare(OURS, 'no milter'),
          ...compare(OURS, 'opendkim'),
          ...compare('sealed', OURS),
        );
      }
      const records = Number(await redis.cli('dbsize'));
      if (records < bench.options.rounds * SESSIONS)
        throw new Error(`only ${records} records in Redis`);
      return rows;
    } finally {
      await postfix.stop();
      pin(process.pid, CORES.load);
    }
  },
};

/** Has smtp-source send the file many times over 20 sessions; then waits until Postfix's queue is empty. */
async function accepted(
  bench: Bench,
  postfix: Postfix,
  service: string,
  file: string,
): Promise<{ rate: number }> {
  const messages = Math.max(SESSIONS, Math.ceil(MESSAGES_A_SECOND * bench.options.seconds));
  const args = ['-s', String(SESSIONS), '-m', String(messages), '-F', file];
  const envelope = ['-f', 'news@shop.example', '-t', 'someone@recipient.example'];
  const to = `inet:127.0.0.1:${postfix.port(service)}`;
  const start = performance.now();
  // Fails where a message is not accepted.
  await promisify(execFile)(requireProgram('smtp-source', 'postfix'), [...args, ...envelope, to]);
  const seconds = (performance.now() - start) / 1000;
  await poll('the queue to empty', async () => (await postfix.queue()).length === 0, 60_000);
  return { rate: messages / seconds };
}

/** smtp-source adds the line ends of SMTP itself. */
function asText(message: Message | undefined): string {
  if (message === undefined) throw new Error('no message to send');
  const head = message.headers.map(({ name, value }) => `${name}: ${value}\n`).join('');
  return `${head}\n${message.body.toString('latin1').replaceAll('\r\n', '\n')}`;
}
