import type { Command } from 'commander';
import { noMetrics } from '../lib/metrics.ts';
import { printable, printableJson } from '../lib/printable.ts';
import type { ResolvedLink } from '../link/link-store.ts';
import { isStoredToken } from '../link/stored-token.ts';
import { openLinks } from '../service/links.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { findLink, parseLinkArgument } from './link-argument.ts';
import { stderrLogger } from './stderr-logger.ts';
import { whileAvailable } from './while-available.ts';

/** `clickmilter link`: what a tracked link stands for. */
export function linkCommand(program: Command): void {
  program
    .command('link')
    .summary('show what a tracked link stands for')
    .description('show what a tracked link stands for: target, message, expiry, clicks')
    .argument('<link>', 'a tracked URL or its token')
    .option('--json', 'for scripts')
    .action(async (text: string, { json }: { json?: true }) => {
      const argument = parseLinkArgument(text);
      if (argument?.kind !== 'token') {
        throw new CommandFailed(
          exitCode.usage,
          `"${text}" is no tracked link: no token at its end`,
        );
      }
      const links = await openLinks(configured(program), stderrLogger, noMetrics);
      try {
        await whileAvailable(async () => {
          const { token, host } = argument;
          const resolved = await findLink(links.resolver, argument);
          if (resolved === undefined) {
            throw new CommandFailed(
              exitCode.dataError,
              `"${token}" leads nowhere: unknown, gone or damaged, or its tracking domain is not configured here`,
            );
          }
          const block = await links.store.blocks.find(token, resolved);
          const { link, message } = resolved;
          const clicks = await links.store.counters.clicksOf(
            message.messageId,
            link.name ?? link.target,
          );
          const foreign = host !== undefined && !resolved.isFor(host);
          const found = { ...describe(token, resolved), clicks, blocked: block?.kind ?? false };
          process.stdout.write(
            json ? `${printableJson(JSON.stringify(found, null, 2))}\n` : tableOf(found),
          );
          if (foreign) {
            process.stderr.write(
              `clickmilter: ${host} is not its tracking domain: it answers 404 there\n`,
            );
          }
        });
      } finally {
        await links.close();
      }
    });
}

function describe(token: string, { link, message, linkCount }: ResolvedLink) {
  const count = message.recipientCount ?? message.recipients.length;
  return {
    target: link.target,
    name: link.name,
    part: link.part,
    unsubscribe: link.unsubscribe,
    kind: isStoredToken(token) ? 'stored' : 'sealed',
    message: message.messageId,
    queue_id: message.queueId,
    links: linkCount,
    domain: message.domain || undefined,
    sender: message.sender,
    recipient: count === 1 ? message.recipients[0] : `${count} recipients`,
    subject: message.subject,
    campaign: message.campaignId,
    pathway: message.pathway,
    injected: isoTime(message.injectionTime),
    expires: isoTime(message.expires),
    expired: message.expires * 1000 < Date.now(),
  };
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '');
}

/** One line a fact; what is not known is left out. */
function tableOf(facts: Readonly<Record<string, unknown>>): string {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== false);
  const width = Math.max(...known.map(([name]) => name.length));
  const lines = known.map(([name, value]) => {
    const text = value === true ? 'yes' : printable(String(value));
    return `${name.padEnd(width)}  ${text}\n`;
  });
  return lines.join('');
}
