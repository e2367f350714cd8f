import { httpOptions } from '../../src/config/listener-options.ts';
import { stanzaFields } from '../../src/config/stanza.ts';

const context = { file: '/etc/clickmilter/clickmilter.conf', stateDirectory: '/dev/null/state' };

/** The options of a stanza that sets nothing: components have no defaults of their own. */
export const httpDefaults = stanzaFields(httpOptions, undefined, context);
