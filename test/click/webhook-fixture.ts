import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { Webhook, type WebhookOptions } from '../../src/click/webhook.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { JournalConsumer } from '../../src/store/local/journal-consumer.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { recordedLog, recordedMetrics } from '../helpers/recorded.ts';
import {
  accept,
  type Behaviour,
  type ReceivedBatch,
  startWebhookServer,
} from '../helpers/webhook-server.ts';

export const range = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => from + index);

export const idsOf = ({ events }: Pick<ReceivedBatch, 'events'>) =>
  events.map(({ msys }) => Number(msys.track_event.event_id));

/** For each test of a file: a journal, a server, and the webhooks between them. */
export class WebhookFixture {
  folder = '';
  log = recordedLog();
  metered = recordedMetrics();
  /** What the server does with a batch, unless it has a behaviour for it. */
  judge: (batch: ReceivedBatch) => Behaviour = () => accept;
  /** Ids of the events that the judge accepted. */
  accepted: number[] = [];
  #journal: Journal | undefined;
  #server: Awaited<ReturnType<typeof startWebhookServer>> | undefined;
  #webhooks: Webhook[] = [];

  constructor() {
    beforeEach(async () => {
      this.folder = await mkdtemp(join(tmpdir(), 'clickmilter-webhook-'));
      this.#journal = this.openJournal();
      this.judge = () => accept;
      this.accepted = [];
      this.#server = await startWebhookServer([], (batch) => {
        const behaviour = this.judge(batch);
        if (behaviour === accept) this.accepted.push(...idsOf(batch));
        return behaviour;
      });
      this.log = recordedLog();
      this.metered = recordedMetrics();
    });
    afterEach(async () => {
      vi.useRealTimers();
      for (const webhook of this.#webhooks.splice(0)) await webhook.close(1000);
      await this.server.close();
      await this.journal.close();
      await rm(this.folder, { recursive: true, force: true });
    });
  }

  get journal(): Journal {
    if (this.#journal === undefined) throw new Error('no test is running');
    return this.#journal;
  }

  get server() {
    if (this.#server === undefined) throw new Error('no test is running');
    return this.#server;
  }

  /** One more writer in the folder. */
  openJournal(): Journal {
    return new Journal({ ...eventsDefaults, folder: this.folder, kind: 'events' });
  }

  /** Loses everything that the journal holds. */
  async emptyJournal(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    this.#journal = this.openJournal();
  }

  start(options: Partial<WebhookOptions> = {}): Webhook {
    const webhook = new Webhook({
      ...eventsDefaults,
      consumer: new JournalConsumer(this.folder, 'webhook'),
      webhook: this.server.url,
      webhookIntervalMs: 20,
      webhookTimeoutMs: 1000,
      backoffMs: 5,
      maxBackoffMs: 20,
      logger: this.log.logger,
      metrics: this.metered.metrics,
      ...options,
    });
    this.#webhooks.push(webhook);
    webhook.start();
    return webhook;
  }
}
