import { httpOptions } from '../../src/config/listener-options.ts';
import { stanzaFields } from '../../src/config/stanza.ts';
import { eventsOptions, redisOptions } from '../../src/config/store-options.ts';
import { Pages } from '../../src/redirect/pages.ts';

const context = { file: '/etc/clickmilter/clickmilter.conf', stateDirectory: '/nonexistent-state' };

// The options of stanzas that set nothing: components have no defaults of their own.
const shipped = new Pages({});
export const httpDefaults = {
  ...stanzaFields(httpOptions, undefined, context),
  pages: () => shipped,
};
export const redisDefaults = stanzaFields(redisOptions, undefined, context);
export const eventsDefaults = {
  ...stanzaFields(eventsOptions, undefined, context),
  /** A journal's own deadline of a second is short on a machine whose disk is busy. */
  writeTimeoutMs: 30_000,
};
