import { inBackground } from '../../lib/background.ts';
import { BoundedCache } from '../../lib/bounded-cache.ts';
import { DAY_SECONDS } from '../../lib/days.ts';
import { linkLines } from '../../link/link-line.ts';
import { encodeInstance, encodeRecord, type MessageRecord } from '../../link/message-record.ts';
import {
  decodeTemplate,
  encodeTemplate,
  MAX_TEMPLATE_BYTES,
  type Template,
} from '../../link/template.ts';
import type { RedisConnection } from './connection.ts';
import { RecentByLinks } from './recent-by-links.ts';
import { UnreadableRecord } from './record-reads.ts';
import { TemplateLearner } from './template-learner.ts';

/** Messages with fewer or shorter links are not worth a template. */
const MIN_LINKS = 6;
const MIN_LENGTH = 400;
/**
 * Recipients of a newsletter before its template is kept: thousands will follow, while a receipt
 * does not come twice.
 */
const RECIPIENTS = 4;
/**
 * The time between two new templates, so that mail which only looks alike does not fill Redis with
 * them.
 */
const PAUSE_MS = 5_000;
/** How often the presence of a template in use is checked. */
const CHECK_MS = 1_000;
/**
 * A template outlives the message for which it is kept, so that messages of the next weeks can use
 * it.
 */
const SLACK_SECONDS = 40 * DAY_SECONDS;
const MAX_KNOWN = 200;
const MAX_LEARNERS = 300;

interface Known {
  readonly template: Template;
  /** Unix seconds until which Redis keeps it, as far as we know; 0 where it does not. */
  until: number;
  /** How many connections had been lost when that was known. */
  losses: number;
  /** When it was last checked, by performance.now: the wall clock may jump. */
  checked: number;
}

/**
 * Keeps the part that the instances of a newsletter share, its template, once. No message waits for
 * it: a template is written in the background, and records use it only after Redis has acknowledged
 * it. So Redis saves and replicates the template before the records that need it. The nodes of a
 * cluster do not keep this order, so nothing is shared there.
 */
export class TemplateSharing {
  readonly #connection: RedisConnection;
  readonly #known = new RecentByLinks<Known>(MAX_KNOWN);
  readonly #learners = new RecentByLinks<TemplateLearner>(MAX_LEARNERS);
  /** By id, for reading. */
  readonly #read = new BoundedCache<string, Template>(MAX_KNOWN);
  /** By performance.now. */
  #lastNew = Number.NEGATIVE_INFINITY;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /** Encodes a record: as an instance of its template, where there is one that Redis has. */
  encode(record: MessageRecord): Buffer {
    const { links, message } = record;
    const [recipient = ''] = message.recipients;
    if (this.#connection.isCluster || links.length < MIN_LINKS || recipient === '') {
      return encodeRecord(record);
    }
    let instance: Buffer | undefined;
    const known = this.#known.find(links, ({ template }) => {
      instance = encodeInstance(record, template);
      return instance !== undefined;
    });
    if (known !== undefined) {
      const isKept = this.#isKept(known, message.expires);
      return isKept && instance !== undefined ? instance : encodeRecord(record);
    }
    const lines = linkLines(links);
    if (lines.length <= MAX_TEMPLATE_BYTES) this.#learn(record, lines, recipient);
    return encodeRecord(record, lines);
  }

  /**
   * Reads the template of a record.
   * @throws StoreUnavailable while they cannot be read; UnreadableRecord when they are gone or
   * damaged
   */
  async find(id: Buffer): Promise<Template> {
    const name = id.toString('base64url');
    const cached = this.#read.get(name);
    if (cached !== undefined) return cached;
    const key = this.#connection.keys.template(name);
    const value = await this.#connection.run((client) => client.getBuffer(key));
    if (value === null) throw new UnreadableRecord(`${key} is gone, which other records build on`);
    let template: Template;
    try {
      template = decodeTemplate(value, id);
    } catch (error) {
      throw new UnreadableRecord(`${key}: ${(error as Error).message}`, { cause: error });
    }
    this.#read.set(name, template);
    return template;
  }

  /** Learns from a message that is an instance of no known template. */
  #learn(record: MessageRecord, lines: string, recipient: string): void {
    const { links, message } = record;
    let again = false;
    const learner = this.#learners.find(links, (other) => {
      again = other.isAgain(lines, recipient);
      // A learner that has become a template may still be found under other links.
      return again || (other.recipients < RECIPIENTS && other.learn(record, recipient));
    });
    if (again) return;
    if (learner === undefined) {
      this.#learners.add(links, new TemplateLearner(message, lines, recipient));
      return;
    }
    if (learner.recipients < RECIPIENTS) return;
    this.#learners.remove(links, learner);
    const template = learner.template(MIN_LINKS, MIN_LENGTH);
    if (template === undefined || Buffer.byteLength(template.text) > MAX_TEMPLATE_BYTES) return;
    const known = { template, until: 0, losses: 0, checked: Number.NEGATIVE_INFINITY };
    this.#known.add(links, known);
    this.#isKept(known, message.expires);
  }

  /** Whether Redis keeps a template for long enough; now and then makes Redis keep it. */
  #isKept(known: Known, expires: number): boolean {
    const now = performance.now();
    // After a break another server may answer, or the same one without its last second: its data is
    // not known.
    const isKept = known.until >= expires && known.losses === this.#connection.losses;
    if (now - known.checked > CHECK_MS && (isKept || this.#mayKeep(now))) {
      known.checked = now;
      const until = isKept ? known.until : expires + SLACK_SECONDS;
      inBackground('keep a template in Redis', () => this.#keep(known, until));
    }
    return isKept;
  }

  #mayKeep(now: number): boolean {
    if (now - this.#lastNew < PAUSE_MS) return false;
    this.#lastNew = now;
    return true;
  }

  /**
   * Makes Redis keep a template until then; another process may have written it, and its lifetime
   * never shrinks.
   */
  async #keep(known: Known, until: number): Promise<void> {
    const key = this.#connection.keys.template(known.template.id.toString('base64url'));
    const value = encodeTemplate(known.template);
    const lifetime = until - Math.floor(Date.now() / 1000);
    const { losses } = this.#connection;
    try {
      await this.#connection.run(async (client) => {
        const written = await client.set(key, value, 'EX', lifetime, 'NX');
        if (written === null && (await client.ttl(key)) < lifetime - 1) {
          await client.expire(key, lifetime);
        }
      });
      known.until = until;
      known.losses = losses;
    } catch {
      // Without the template, records are longer.
      known.until = 0;
    }
  }
}
