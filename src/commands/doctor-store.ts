import type { Configuration } from '../config/configuration.ts';
import { reasonOf, silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import type { SealKeys } from '../link/seal-keys.ts';
import { openStore } from '../store/open-store.ts';
import { NOBODY } from '../store/opt-outs.ts';
import { type Finding, Findings } from './doctor-finding.ts';
import { KeptErrors } from './with-store.ts';

/**
 * Examines the store: whether it answers, and whether links are safe in it.
 * @param keys of this host; absent where they cannot be read
 */
export async function examineStore(
  config: Configuration,
  keys?: SealKeys,
): Promise<readonly Finding[]> {
  const findings = new Findings('redis');
  const files = new Findings('state');
  const kept = new KeptErrors(silent);
  const store = await openStore(config, kept.logger, noMetrics);
  try {
    const { facts, failures, warnings, unknown } = await store.health(
      keys && { fingerprint: keys.fingerprint, host: config.events.nodeName },
    );
    for (const fact of facts) findings.ok(fact);
    for (const failure of failures) findings.error(failure);
    for (const warning of [...warnings, ...unknown]) findings.warning(warning);
    // Reading them finds lines that are not valid.
    for (const read of [() => store.blocks.all(), () => store.optOuts.hasAny([NOBODY])]) {
      await read().catch((error) => files.error(reasonOf(error)));
    }
    for (const error of kept.errors) files.error(error);
  } catch (error) {
    findings.error(
      `${reasonOf(error)}: is it running, and is the redis stanza right? Until it answers, on_failure applies to mail`,
    );
  } finally {
    await store.close();
  }
  return [...findings.list, ...files.list];
}
