import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { listenLocally } from './listen-locally.ts';
import { type Packet, packet, packets } from './milter-wire.ts';

/** What to do with a packet: let it pass, drop the whole connection, or send only its first bytes and then drop it. */
type Verdict = 'pass' | 'cut' | { readonly cutAfter: number };

export interface MilterProxyOptions {
  /** Sees each packet before it goes on; the direction waits while it decides. */
  readonly fromMta?: (packet: Packet) => Verdict | undefined | Promise<Verdict | undefined>;
  readonly fromMilter?: (packet: Packet) => Verdict | undefined | Promise<Verdict | undefined>;
}

/** A recording wire-tap between an MTA and a milter. */
export interface MilterProxy {
  readonly port: number;
  /** Every packet so far, in the order in which it came. */
  readonly seen: (Packet & { readonly from: 'mta' | 'milter' })[];
  /** The letters of the packets of one side, as one string. */
  letters(from: 'mta' | 'milter'): string;
  stop(): Promise<void>;
}

/** Starts a proxy to the milter at `target`. */
export async function startMilterProxy(
  target: NetConnectOpts,
  options: MilterProxyOptions = {},
): Promise<MilterProxy> {
  const seen: (Packet & { from: 'mta' | 'milter' })[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((mta) => {
    const milter = connect(target);
    const drop = () => {
      mta.destroy();
      milter.destroy();
    };
    for (const socket of [mta, milter]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', drop);
      socket.on('close', () => {
        sockets.delete(socket);
        drop();
      });
    }
    relay(mta, milter, drop, (one) => {
      seen.push({ ...one, from: 'mta' });
      return options.fromMta?.(one);
    });
    relay(milter, mta, drop, (one) => {
      seen.push({ ...one, from: 'milter' });
      return options.fromMilter?.(one);
    });
  });
  const port = await listenLocally(server);
  return {
    port,
    seen,
    letters: (from) =>
      seen
        .filter((one) => one.from === from)
        .map((one) => one.letter)
        .join(''),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Passes packets on one after another; `judge` may take its time. */
function relay(
  from: Socket,
  to: Socket,
  drop: () => void,
  judge: (one: Packet) => Verdict | undefined | Promise<Verdict | undefined>,
): void {
  let rest: Buffer = Buffer.alloc(0);
  let work = Promise.resolve();
  from.on('data', (chunk: Buffer) => {
    work = work.then(async () => {
      const found = packets(Buffer.concat([rest, chunk]));
      rest = found.rest;
      for (const one of found.packets) {
        const verdict = (await judge(one)) ?? 'pass';
        if (verdict === 'cut') return drop();
        const bytes = packet(one.letter, one.data);
        if (verdict === 'pass') {
          to.write(bytes);
        } else {
          to.write(bytes.subarray(0, verdict.cutAfter), drop);
          return;
        }
      }
    });
  });
  from.on('end', () => void work.then(() => to.end()));
}
