import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Configuration } from '../config/configuration.ts';
import { loadNodes } from '../config/load.ts';
import type { Node } from '../config/node.ts';
import { reloaded } from '../config/reloaded.ts';

/** Environment of a worker: where its primary keeps the configuration in use. */
const PLACE = 'CLICKMILTER_CONFIGURATION';

interface HandedOver {
  readonly file: string;
  /** What the service was started with, and what the last reload has read. */
  readonly started: readonly Node[];
  readonly latest: readonly Node[];
}

/**
 * The configuration in use, for workers. One that starts hours later must not read the file on disk: it may
 * have been edited since, and have errors.
 */
export class ConfigurationForWorkers {
  readonly #folder = mkdtempSync(join(tmpdir(), 'clickmilter-'));
  readonly #started: Pick<HandedOver, 'file' | 'started'>;

  constructor(file: string, nodes: readonly Node[]) {
    this.#started = { file, started: nodes };
    process.env[PLACE] = join(this.#folder, 'configuration.json');
    process.once('exit', () => rmSync(this.#folder, { recursive: true, force: true }));
    this.update(nodes);
  }

  /** What a reload has read and found right. */
  update(latest: readonly Node[]): void {
    const text = JSON.stringify({ ...this.#started, latest } satisfies HandedOver);
    const draft = join(this.#folder, 'draft.json');
    writeFileSync(draft, text, { mode: 0o600 }); // there may be passwords in it
    renameSync(draft, String(process.env[PLACE]));
  }
}

/** In a worker: the configuration its primary has in use. */
export function configurationInUse(): Configuration {
  const { file, started, latest } = JSON.parse(
    readFileSync(String(process.env[PLACE]), 'utf8'),
  ) as HandedOver;
  const [first, next] = [loadNodes(started, file).config, loadNodes(latest, file).config];
  if (first === undefined || next === undefined) throw new Error(`${file}: not what was checked`);
  return reloaded(first, next);
}
