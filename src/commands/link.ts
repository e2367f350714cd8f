import type { Command } from 'commander';
import { noMetrics } from '../lib/metrics.ts';
import { printable, printableJson } from '../lib/printable.ts';
import type { LinkResolver, ResolvedLink } from '../link/link-store.ts';
import { isMessageId } from '../link/message-id.ts';
import { isSealedToken } from '../link/sealed-token.ts';
import { isStoredToken } from '../link/stored-token.ts';
import { destinationOf, leadsBack } from '../redirect/destination.ts';
import { openLinks } from '../service/links.ts';
import type { Retarget } from '../store/store.ts';
import { configured, stderrLogger, whileAvailable } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/** An argument that was copied from a mail, a log or an event. */
export type LinkArgument =
  | { readonly kind: 'token'; readonly token: string; readonly host?: string }
  | { readonly kind: 'message'; readonly messageId: string }
  | { readonly kind: 'url'; readonly url: string };

/** The minimum is shorter than any token and longer than a message id. */
const TOKEN = /^[\w-]{20,}$/;

/**
 * A token, a tracked URL (which ends in a token, sublink or not), a message id, or any other http
 * or https URL.
 * @returns undefined for any other text
 */
export function parseLinkArgument(text: string): LinkArgument | undefined {
  if (isMessageId(text)) return { kind: 'message', messageId: text };
  if (isToken(text)) return { kind: 'token', token: text };
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { pathname, host } = new URL(text);
  const path = pathname.replace(/\/$/, ''); // as some programs add one
  const last = path.slice(path.lastIndexOf('/') + 1);
  return isToken(last) ? { kind: 'token', token: last, host } : { kind: 'url', url: text };
}

function isToken(text: string): boolean {
  return TOKEN.test(text) && (isStoredToken(text) || isSealedToken(text));
}

/**
 * Finds the link of a copied token, even if only the host of its URL is wrong.
 * @throws StoreUnavailable
 */
export async function findLink(
  resolver: LinkResolver,
  { token, host }: { readonly token: string; readonly host?: string },
): Promise<ResolvedLink | undefined> {
  return (
    (host === undefined ? undefined : await resolver.resolve(token, host)) ??
    (await resolver.resolve(token))
  );
}

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
            throw new CommandFailed(
              exitCode.dataError,
              `"${token}" not found: unknown, expired or damaged, or its tracking domain is not configured here`,
            );
          }
          const ruling = await links.store.blocks.find(token, resolved);
          const { link, message } = resolved;
          const clicks = await links.store.counters.clicksOf(
            message.messageId,
            link.name ?? link.target,
          );
          const foreign = host !== undefined && !resolved.isFor(host);
          const isBlocked = ruling !== undefined && ruling.to === undefined;
          const retarget =
            ruling?.to === undefined || leadsBack(ruling.to, config.scopes.trackingHosts, resolved)
              ? undefined
              : ruling;
          const found = {
            ...describe(token, resolved, retarget),
            clicks,
            blocked: isBlocked && ruling.kind,
          };
          process.stdout.write(
            json ? `${printableJson(JSON.stringify(found, null, 2))}\n` : tableOf(found),
          );
          if (foreign) {
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

function describe(token: string, resolved: ResolvedLink, retarget: Retarget | undefined) {
  const { link, message, linkCount } = resolved;
  const leadsTo = retarget?.to ?? destinationOf(resolved);
  const count = message.recipientCount ?? message.recipients.length;
  return {
    target: link.target,
    leads_to: leadsTo === link.target ? undefined : leadsTo,
    retargeted: retarget?.kind,
    retargeted_by: retarget?.by,
    retargeted_at: retarget?.since,
    retargeted_why: retarget?.why,
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

/** One line per known fact. */
function tableOf(facts: Readonly<Record<string, unknown>>): string {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== false);
  const width = Math.max(...known.map(([name]) => name.length));
  const lines = known.map(([name, value]) => {
    const text = value === true ? 'yes' : printable(String(value));
    return `${name.padEnd(width)}  ${text}\n`;
  });
  return lines.join('');
}
