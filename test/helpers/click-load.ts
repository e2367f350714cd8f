import { Agent, request } from 'node:http';

/** People who click on tracked links, over and over, until told to stop. */
export interface ClickLoad {
  /** The user agents, one a click, of all clicks that were answered with a 302. */
  readonly answered: ReadonlySet<string>;
  /** Answers by status, and failed requests as `error`. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Why requests failed. */
  readonly errors: readonly string[];
  stop(): Promise<void>;
}

/**
 * @param clickers how many click at the same time, each again once there is an answer
 * @param pause milliseconds between an answer and the next click
 */
export function startClicking(
  port: number,
  urls: readonly string[],
  clickers = 16,
  pause = 0,
): ClickLoad {
  const agent = new Agent({ keepAlive: true, maxSockets: clickers });
  const answered = new Set<string>();
  const outcomes = new Map<string, number>();
  const errors: string[] = [];
  let running = true;
  let clicks = 0;

  async function clickOn(url: string, userAgent: string): Promise<string> {
    const { host, pathname } = new URL(url);
    return new Promise((resolve) => {
      const headers = { host, 'user-agent': userAgent };
      const asked = request({ host: '127.0.0.1', port, path: pathname, headers, agent }, (answer) =>
        answer.resume().once('end', () => resolve(String(answer.statusCode))),
      );
      asked.once('error', (error) => {
        errors.push(`${String(error)}${asked.reusedSocket ? ', on a connection used before' : ''}`);
        resolve('error');
      });
      // Longer than a start takes on a machine that is busy with other tests.
      asked.setTimeout(60_000, () => asked.destroy(new Error('no answer within 60 s')));
      asked.end();
    });
  }

  const all = Array.from({ length: clickers }, async () => {
    while (running) {
      const number = clicks++;
      const userAgent = `Mozilla/5.0 click-${number}`;
      const outcome = await clickOn(urls[number % urls.length] ?? '', userAgent);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome === '302') answered.add(userAgent);
      // Where nobody is there, a moment's pause, as people make one.
      const wait = outcome === 'error' ? Math.max(pause, 5) : pause;
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  });
  return {
    answered,
    outcomes,
    errors,
    stop: async () => {
      running = false;
      await Promise.all(all);
      agent.destroy();
    },
  };
}
