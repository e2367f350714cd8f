import { connect } from 'node:net';
import { setImmediate as nextTick } from 'node:timers/promises';
import { helo, packets, show } from '../../helpers/milter-wire.ts';

/** How the bytes reach the milter. */
export type Delivery =
  | 'packet by packet'
  | 'in one write'
  | 'byte by byte'
  /** In two writes, the second beginning at that byte. */
  | { readonly cutAt: number };

/** The answer of both filters to HELO "probe": the connection still lives. */
const PROBE = 'y 450 4.7.0 alive|';

/**
 * Sends `sent`, then a HELO "probe" and the end of input, and reads until the milter closes.
 * @returns its answers as lines, the last being `alive` where it answered the probe, `closed` where it did not
 */
export async function askMilter(
  path: string,
  sent: readonly Buffer[],
  delivery: Delivery = 'in one write',
): Promise<string[]> {
  const socket = connect({ path, allowHalfOpen: true });
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  // A milter that closes on a bad packet resets what was still on its way: not our concern.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve, reject) => {
    socket.setTimeout(10_000, () => {
      socket.destroy();
      reject(new Error(`no end after ${packets(Buffer.concat(received)).packets.map(show)}`));
    });
    socket.once('end', resolve).once('close', () => resolve());
  });
  await new Promise((resolve) => socket.once('connect', resolve).once('error', resolve));
  for (const piece of cut([...sent, helo('probe')], delivery)) {
    if (socket.destroyed) break;
    socket.write(piece);
    if (delivery !== 'in one write') await nextTick();
  }
  socket.end();
  await closed;
  socket.destroy();

  const { packets: answers, rest } = packets(Buffer.concat(received));
  const lines = answers.map(show);
  if (rest.length > 0) lines.push(`half a packet of ${rest.length} bytes`);
  if (lines.at(-1) === PROBE) lines[lines.length - 1] = 'alive';
  else lines.push('closed');
  return lines;
}

function* cut(sent: readonly Buffer[], delivery: Delivery): Generator<Buffer> {
  if (delivery === 'packet by packet') yield* sent;
  else if (delivery === 'in one write') yield Buffer.concat(sent);
  else if (delivery === 'byte by byte')
    for (const byte of Buffer.concat(sent)) yield Buffer.of(byte);
  else {
    const all = Buffer.concat(sent);
    yield all.subarray(0, delivery.cutAt);
    yield all.subarray(delivery.cutAt);
  }
}
