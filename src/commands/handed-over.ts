import type { Configuration } from '../config/configuration.ts';
import { configurationOfNodes } from '../config/load.ts';
import type { Node } from '../config/node.ts';
import { reloaded } from '../config/reloaded.ts';

/**
 * The configuration in use, as workers are given it. One that starts hours later must not read the file on disk: it
 * may have been edited since, and have errors.
 */
export interface HandedOver {
  readonly file: string;
  /** What the service was started with, and what the last reload has read and found right. */
  readonly started: readonly Node[];
  readonly latest: readonly Node[];
}

/** In a worker: the configuration that its primary has in use, and has checked. */
export function configurationInUse({ file, started, latest }: HandedOver): Configuration {
  const first = configurationOfNodes(started, file);
  return latest === started ? first : reloaded(first, configurationOfNodes(latest, file));
}
