import type { Command } from 'commander';
import { noMetrics } from '../lib/metrics.ts';
import { printable, printableJson } from '../lib/printable.ts';
import { describeLink, describeMessage } from '../link/describe-link.ts';
import { findLink, linkNotFound, parseLinkArgument } from '../link/link-argument.ts';
import { isStoredToken } from '../link/stored-token.ts';
import { openLinks } from '../service/links.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { stderrLogger, whileAvailable } from './with-store.ts';

/** `clickmilter link` shows the facts behind a tracked link. */
export function linkCommand(program: Command): void {
  program
    .command('link')
    .summary('show the facts behind a tracked link')
    .description('show the target, message, expiry and clicks of a tracked link')
    .argument('<link>', 'a tracked URL or its token')
    .option('--json', 'print JSON')
    .action(async (text: string, { json }: { json?: true }) => {
      const argument = parseLinkArgument(text);
      if (argument?.kind !== 'token') {
        throw new CommandFailed(
          exitCode.usage,
          `"${text}" is not a tracked link: it does not end in a token`,
        );
      }
      const config = configured(program);
      const links = await openLinks(config, stderrLogger, noMetrics);
      try {
        await whileAvailable(async () => {
          const { token, host } = argument;
          const resolved = await findLink(links.resolver, argument);
          if (resolved === undefined) {
            throw new CommandFailed(exitCode.dataError, linkNotFound(token));
          }
          const { link, message, linkCount } = resolved;
          const { blocks, counters } = links.store;
          const ruling = await blocks.find(token, resolved);
          const [clicks] = await counters.clicksOf(message, [link.name ?? link.target]);
          const { blocked, ...described } = describeLink(
            resolved,
            ruling,
            config.scopes.trackingHosts,
          );
          const found = {
            ...described,
            kind: isStoredToken(token) ? 'stored' : 'sealed',
            ...describeMessage(message, linkCount),
            clicks,
            blocked,
          };
          process.stdout.write(
            json ? `${printableJson(JSON.stringify(found, null, 2))}\n` : tableOf(found),
          );
          if (host !== undefined && !resolved.isFor(host)) {
            process.stderr.write(
              `clickmilter: ${host} is not its tracking domain: the link answers 404 there\n`,
            );
          }
        });
      } finally {
        await links.close();
      }
    });
}

/** One line per known fact. */
function tableOf(facts: Readonly<Record<string, unknown>>): string {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== false);
  const width = Math.max(...known.map(([name]) => name.length));
  const lines = known.map(([name, value]) => `${name.padEnd(width)}  ${textOf(value)}\n`);
  return lines.join('');
}

function textOf(value: unknown): string {
  if (value === true) return 'yes';
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value));
}
