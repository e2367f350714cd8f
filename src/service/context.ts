import type { Configuration } from '../config/configuration.ts';
import type { ProcessMetrics } from '../control/metrics.ts';
import type { Logger } from '../lib/logger.ts';
import type { Releasers } from '../process/releasers.ts';
import type { Links } from './links.ts';

/** What the parts of the service share. */
export interface Context {
  readonly logger: Logger;
  readonly metrics: ProcessMetrics;
  readonly links: Links;
  readonly releasers: Releasers;
  /** The configuration in use now. */
  config(): Configuration;
}
