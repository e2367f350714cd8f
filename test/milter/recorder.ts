import type { AddressInfo } from 'node:net';
import {
  createMilterServer,
  type Filter,
  type ListenAddress,
  type MilterEvent,
  type MilterServer,
} from '../../src/milter/milter.ts';

/** What one message looked like to the filter; `end` is missing while it is not over. */
interface Recorded {
  /** `host [address]:port` and the name given at HELO. */
  readonly client: string;
  readonly helo: string | undefined;
  readonly sender: string;
  readonly senderArgs: readonly string[];
  readonly recipients: string[];
  readonly headers: string[];
  body: Buffer;
  queueId?: string;
  /** Macros asked for, as they were at the end of the message (or at its abort). */
  readonly macros: Record<string, string | undefined>;
  end?: 'complete' | 'aborted' | 'disconnected' | 'over-limit' | 'exception';
}

export interface Recorder {
  readonly server: MilterServer;
  /** Of the TCP listener; 0 on a unix socket. */
  readonly port: number;
  readonly messages: Recorded[];
  readonly events: MilterEvent[];
  /** SMTP sessions that came to their end. */
  readonly sessions: { ended: number };
  stop(): Promise<void>;
}

/** The macros a tracker of links asks for. */
const WANTED = [
  '{daemon_name}',
  '{daemon_addr}',
  '{daemon_port}',
  '{client_addr}',
  '{client_port}',
] as const;

/** A filter that writes down what it is told, and adds one field to each message. */
export async function startRecorder(where?: ListenAddress): Promise<Recorder> {
  const messages: Recorded[] = [];
  const events: MilterEvent[] = [];
  const sessions = { ended: 0 };
  const filter: Filter<{ record: Recorded | undefined; chunks: Buffer[] }> = {
    actions: ['addHeaders'],
    macros: {
      connect: WANTED,
      mail: ['i', '{auth_authen}', '{mail_addr}'],
      endOfMessage: ['i', '{msg_id}'],
    },
    begin: () => ({ record: undefined, chunks: [] }),
    connect: () => undefined,
    helo: () => undefined,
    mail: ({ state, connection }, sender) => {
      const { client } = connection;
      state.record = {
        client: `${client?.hostname} [${client?.address}]:${client?.port ?? ''}`,
        helo: connection.helo,
        sender: sender.address,
        senderArgs: sender.args,
        recipients: [],
        headers: [],
        body: Buffer.alloc(0),
        macros: {},
      };
      messages.push(state.record);
    },
    rcpt: ({ state }, recipient) => {
      state.record?.recipients.push(recipient.address);
    },
    header: ({ state }, { name, raw }) => {
      state.record?.headers.push(`${name}:${raw}`);
    },
    body: ({ state }, chunk) => {
      state.chunks.push(chunk);
    },
    endOfMessage: (message) => {
      const { record, chunks } = message.state;
      if (record === undefined) return;
      record.body = Buffer.concat(chunks);
      if (message.queueId !== undefined) record.queueId = message.queueId;
      for (const name of [...WANTED, '{auth_authen}', '{mail_addr}']) {
        record.macros[name] = message.macro(name);
      }
      record.end = 'complete';
      message.addHeader('X-Recorded', String(messages.length));
    },
    abort: ({ state }, reason) => {
      if (state.record !== undefined) state.record.end = reason;
    },
    close: () => {
      sessions.ended += 1;
    },
  };
  const server = createMilterServer(filter, { onEvent: (event) => events.push(event) });
  const address = await server.listen(where ?? { host: '127.0.0.1', port: 0 });
  const port = typeof address === 'object' && address !== null ? (address as AddressInfo).port : 0;
  return {
    server,
    port,
    messages,
    events,
    sessions,
    stop: async () => {
      await server.close({ deadline: 0 });
    },
  };
}
