/** A message as an MTA has it. */
export interface Message {
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: Buffer;
}

/** One stage of the protocol: its command, and the SMFIP_NO* and SMFIP_NR_* bits that switch it or its reply off. */
export const STAGES = {
  connect: { command: 'C', no: 0x1, noReply: 0x1000 },
  helo: { command: 'H', no: 0x2, noReply: 0x2000 },
  mail: { command: 'M', no: 0x4, noReply: 0x4000 },
  rcpt: { command: 'R', no: 0x8, noReply: 0x8000 },
  data: { command: 'T', no: 0x200, noReply: 0x10000 },
  header: { command: 'L', no: 0x20, noReply: 0x80 },
  endOfHeaders: { command: 'N', no: 0x40, noReply: 0x40000 },
  body: { command: 'B', no: 0x10, noReply: 0x80000 },
  endOfBody: { command: 'E', no: 0, noReply: 0 },
} as const;
type Stage = (typeof STAGES)[keyof typeof STAGES];

const HDR_LEADSPC = 0x100000;
const MAX_DATA = 65535;

/** What is written up to a reply, and the command that reply is for. */
export interface Step {
  readonly bytes: Buffer;
  readonly command: string;
}

/** A message ready to be replayed to any milter, whatever it negotiates. */
export class Recording {
  readonly #message: Message;
  readonly #sender: string;
  readonly #recipient: string;
  readonly #steps = new Map<number, readonly Step[]>();

  constructor(message: Message, envelope: { sender?: string; recipient?: string } = {}) {
    this.#message = message;
    this.#sender = envelope.sender ?? 'news@shop.example';
    this.#recipient = envelope.recipient ?? 'someone@recipient.example';
  }

  steps(protocol: number): readonly Step[] {
    let steps = this.#steps.get(protocol);
    if (steps === undefined) {
      steps = this.#encode(protocol);
      this.#steps.set(protocol, steps);
    }
    return steps;
  }

  #encode(protocol: number): readonly Step[] {
    const { headers, body } = this.#message;
    const script = new Script(protocol);
    const queueId = { i: '4XyZ1k2v3Wz9q8r' };
    script.unanswered(frame('A'));
    script.stage(STAGES.mail, strings(`<${this.#sender}>`), { '{mail_addr}': this.#sender });
    script.stage(STAGES.rcpt, strings(`<${this.#recipient}>`), queueId);
    script.stage(STAGES.data, Buffer.alloc(0), queueId);
    const space = protocol & HDR_LEADSPC ? ' ' : '';
    for (const { name, value } of headers) {
      script.stage(STAGES.header, strings(name, space + value));
    }
    script.stage(STAGES.endOfHeaders, Buffer.alloc(0), queueId);
    for (let at = 0; at < body.length; at += MAX_DATA) {
      script.stage(STAGES.body, body.subarray(at, at + MAX_DATA), {});
    }
    script.stage(STAGES.endOfBody, Buffer.alloc(0), queueId);
    return script.steps;
  }
}

/** Puts frames together up to each point where the milter answers. */
export class Script {
  readonly steps: Step[] = [];
  #unanswered: Buffer[] = [];
  readonly #protocol: number;

  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  unanswered(bytes: Buffer): void {
    this.#unanswered.push(bytes);
  }

  /** What is still to be written when all steps have their replies. */
  get rest(): Buffer {
    return Buffer.concat(this.#unanswered);
  }

  stage(stage: Stage, data: Buffer, macros?: Readonly<Record<string, string>>): void {
    if (this.#protocol & stage.no) return;
    if (macros !== undefined) {
      this.#unanswered.push(
        frame('D', Buffer.from(stage.command), strings(...Object.entries(macros).flat())),
      );
    }
    this.#unanswered.push(frame(stage.command, data));
    if (this.#protocol & stage.noReply) return;
    this.steps.push({ bytes: Buffer.concat(this.#unanswered), command: stage.command });
    this.#unanswered = [];
  }
}

export function frame(command: string, ...data: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(1 + data.reduce((length, piece) => length + piece.length, 0), 0);
  head.write(command, 4, 'latin1');
  return Buffer.concat([head, ...data]);
}

export function strings(...texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\0`).join(''));
}
