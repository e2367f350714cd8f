import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { describeDecision } from '../config/describe-source.ts';
import { jsonValue, writeValue } from '../config/write-value.ts';
import { explainReason, type MessageReport } from '../filter/report.ts';
import { Transaction } from '../filter/transaction.ts';
import { reasonOf } from '../lib/logger.ts';
import { printable, printableJson } from '../lib/printable.ts';
import type { Decision } from '../scope/decide.ts';
import type { Facts } from '../scope/facts.ts';
import { hasSenderDomain } from '../scope/tracking-domain.ts';
import { filterSettings } from '../service/filter-settings.ts';
import { practiceLinks } from '../service/links.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { addTransactionOptions, envelopeOf } from './transaction-options.ts';
import { tryMessage } from './try-message.ts';

interface Options {
  readonly message?: string;
  readonly json?: true;
}

/** The subject of an explanation: a kind of mail, or one message. */
interface Explained {
  readonly facts: Facts;
  readonly decision: Decision;
  /** Why an X-MSYS-API header is ignored; absent if it is honoured. */
  readonly ignored?: string;
  /** Why the headers that `accept_headers` names are ignored; absent if they are honoured. */
  readonly ignoredVendors?: string;
  /** Only with `--message`. */
  readonly report?: MessageReport;
}

/** `clickmilter explain` shows why mail is tracked or not, and the source of each value. */
export function explainCommand(program: Command): void {
  const command = program
    .command('explain')
    .summary('show why mail is tracked or not')
    .description('show why mail is tracked or not, and the source of each option')
    .option('--message <file>', 'explain each link of this message; - reads standard input')
    .option('--json', 'print a JSON object');
  addTransactionOptions(command).action(async (options: Options) => {
    const config = configured(program);
    const settings = filterSettings(config);
    const links = practiceLinks(config);
    const envelope = envelopeOf(command.opts());
    const message = options.message === undefined ? undefined : await read(options.message);
    const tried = message && (await tryMessage(message, settings, links, envelope));
    const transaction = tried?.transaction ?? new Transaction(settings, links, envelope);
    const explained: Explained = {
      facts: transaction.facts,
      decision: transaction.decision,
      ...(!transaction.honoured.believesXMsysApi && {
        ignored: whyIgnored(config, transaction.decision),
      }),
      ...(transaction.honoured.vendors.length === 0 && {
        ignoredVendors: whyVendorsAreIgnored(transaction.decision),
      }),
      ...(tried && { report: tried.report }),
    };
    const text = options.json
      ? printableJson(JSON.stringify(asJson(explained), null, 2))
      : asText(explained, config).map(printable).join('\n');
    process.stdout.write(`${text}\n`);
  });
}

async function read(file: string): Promise<Buffer> {
  if (file === '-') return buffer(process.stdin);
  try {
    return await readFile(file);
  } catch (error) {
    throw new CommandFailed(exitCode.usage, `cannot read the message: ${reasonOf(error)}`);
  }
}

function whyIgnored({ smtpapi }: Configuration, decision: Decision): string {
  return smtpapi ? whyNotBelieved(decision) : 'there is no smtpapi stanza';
}

function whyVendorsAreIgnored(decision: Decision): string {
  return acceptsVendors(decision) ? whyNotBelieved(decision) : 'accept_headers is empty';
}

function acceptsVendors({ options }: Decision): boolean {
  return options.acceptHeaders.length > 0;
}

function whyNotBelieved({ options }: Decision): string {
  const login = options.acceptXMsysApi === 'authenticated' ? ', and the MTA reports no login' : '';
  return `accept_x_msys_api = ${options.acceptXMsysApi}${login}`;
}

function asText(explained: Explained, { scopes }: Configuration): string[] {
  const { facts, decision, ignored, ignoredVendors, report } = explained;
  const { listener, listen, peer, pathway = '' } = facts;
  const noSuch = pathway !== '' && !scopes.hasPathway(pathway) ? ', which is not configured' : '';
  const known: Row[] = [
    ['listener', listener || 'not known'],
    ['listen', listen || 'not known'],
    ['peer', peer || 'not known'],
    ['pathway', `${pathway || 'not known'}${noSuch}`],
    ['X-MSYS-API', honouredOrWhyNot(ignored)],
    ...(acceptsVendors(decision) ? [['accept_headers', honouredOrWhyNot(ignoredVendors)]] : []),
  ];
  const chain = decision.match.chain();
  const options = [...decision.reasons()].map(
    ([name, { value, from }]): Row => [`${name} = ${writeValue(value)}`, describeDecision(from)],
  );
  return [
    ...section('Facts', table(known)),
    ...section('Matching scopes, most specific first', chain.length > 0 ? chain : ['none']),
    ...section('Options and their sources', table(options)),
    ...(decision.problems.length > 0 ? section('Ignored', decision.problems) : []),
    ...(decision.notDone.length + decision.notDoneHeaders.length > 0
      ? section('Not implemented by clickmilter', [
          ...(decision.notDone.length > 0 ? [`X-MSYS-API ${decision.notDone.join(', ')}`] : []),
          ...decision.notDoneHeaders,
        ])
      : []),
    ...(report?.links.length ? section('Links', linkLines(report)) : []),
    verdict(explained),
  ];
}

function honouredOrWhyNot(ignored: string | undefined): string {
  return ignored === undefined ? 'honoured' : `ignored: ${ignored}`;
}

/** The answer in one sentence. */
function verdict({
  decision: { options, refusedDomain },
  ignored,
  ignoredVendors,
  report,
}: Explained): string {
  if (report) {
    const tracked = report.links.filter((link) => link.tracked).length;
    const reason = report.reason === undefined ? '' : `: ${explainReason(report.reason)}`;
    const reply = report.reply === undefined ? '' : ` (${report.reply})`;
    const count = `${tracked} of ${report.links.length} links tracked`;
    return `This message is ${report.verdict}${reason || `: ${count}`}${reply}.`;
  }
  if (options.clickTrackingEnabled && refusedDomain !== undefined) {
    return hasSenderDomain(refusedDomain)
      ? `Such mail is tracked if tracking_domains_allowed has ${refusedDomain}: give --sender.`
      : `Such mail is not tracked: tracking_domains_allowed does not have ${refusedDomain}.`;
  }
  const mail = options.clickTrackingEnabled ? 'Such mail is tracked' : 'Such mail is not tracked';
  const decisive = [
    ...(ignored === undefined ? ['its X-MSYS-API header'] : []),
    ...(ignoredVendors === undefined ? ['one of accept_headers'] : []),
  ].join(' or ');
  return `${mail}${decisive === '' ? '' : `, unless ${decisive} says otherwise`}.`;
}

function linkLines({ links }: MessageReport): string[] {
  return table(
    links.map(
      ({ part, tracked, reason, target }): Row => [
        part,
        tracked ? 'tracked' : reason === undefined ? 'not tracked' : explainReason(reason),
        target,
      ],
    ),
  );
}

type Row = readonly string[];

function section(title: string, lines: readonly string[]): string[] {
  return [title, ...lines.map((line) => `  ${line}`), ''];
}

/**
 * A table whose columns are as wide as their cells, but at most 48 characters, so that others stay
 * on the screen.
 */
function table(rows: readonly Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.min(48, Math.max(width, row[column]?.length ?? 0)), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function asJson({ facts, decision, ignored, ignoredVendors, report }: Explained): object {
  const options = [...decision.reasons()].map(([name, { value, from }]) => [
    name,
    { value: jsonValue(value), from },
  ]);
  return {
    facts,
    pathway: decision.match.pathway,
    scopes: decision.match.chain(),
    options: Object.fromEntries(options),
    xMsysApi: isRead(ignored),
    acceptHeaders: isRead(ignoredVendors),
    refusedDomain: decision.refusedDomain,
    problems: decision.problems,
    notDone: [...decision.notDone, ...decision.notDoneHeaders],
    ...(report && {
      message: {
        verdict: report.verdict,
        reason: report.reason,
        reply: report.reply,
        links: report.links,
      },
    }),
  };
}

function isRead(ignored: string | undefined): object {
  return ignored === undefined ? { read: true } : { read: false, reason: ignored };
}
