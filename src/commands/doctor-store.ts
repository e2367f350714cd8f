import type { Configuration } from '../config/configuration.ts';
import type { SealKeys } from '../link/seal-keys.ts';
import { otherKeysWarning } from '../store/redis/seal-keys.ts';
import { createRedisStore } from '../store/redis/store.ts';
import { type Finding, Findings, messageOf } from './doctor-finding.ts';

/**
 * Redis: whether it answers, and whether links are safe in it.
 * @param keys of this host; absent where they cannot be read
 */
export async function examineStore(
  config: Configuration,
  keys?: SealKeys,
): Promise<readonly Finding[]> {
  const findings = new Findings('redis');
  if (config.linkStore === 'sealed') {
    findings.ok('not used: links are sealed, and clicks go to the journal');
    return findings.list;
  }
  const store = createRedisStore({
    ...config.redis,
    stream: config.events,
    onConnection: () => {},
  });
  try {
    const { latency, servers, warnings } = await store.health();
    for (const { version, usedMemory, maxMemory } of servers) {
      const limit = maxMemory > 0 ? `of ${megabytes(maxMemory)}` : 'without a limit';
      findings.ok(
        `Redis ${version} answers in ${latency.toFixed(1)} ms, ${megabytes(usedMemory)} used ${limit}`,
      );
    }
    for (const warning of warnings) findings.warning(warning);
    if (keys !== undefined) {
      const hosts = await store.sealKeys.hostsWithOthers(keys.fingerprint);
      if (hosts.length > 0) findings.warning(otherKeysWarning(hosts));
    }
    if (servers.some(({ persistence }) => persistence === 'unknown')) {
      findings.warning(
        'whether Redis keeps anything on disk is not known, since CONFIG GET is refused: an ACL user needs +config|get',
      );
    }
  } catch (error) {
    findings.error(
      `${messageOf(error)}: is it running, and is the redis stanza right? Until it answers, on_failure decides what becomes of mail`,
    );
  } finally {
    await store.close();
  }
  return findings.list;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
