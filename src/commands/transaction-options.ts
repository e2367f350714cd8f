import { type Command, InvalidArgumentError } from 'commander';
import type { Envelope } from '../filter/options.ts';
import { parseNetwork } from '../lib/address.ts';
import { parseListen } from '../scope/listen-address.ts';

interface Options {
  readonly listener?: string;
  readonly listen?: string;
  readonly peer?: string;
  readonly pathway?: string;
  readonly macro?: Readonly<Record<string, string>>;
  readonly sender?: string;
  readonly recipient?: readonly string[];
}

/** Adds the options that describe a transaction as the MTA would. */
export function addTransactionOptions(command: Command): Command {
  return command
    .option('--listener <name>', 'name of the listener, as in {daemon_name}')
    .option(
      '--listen <address>',
      'where the MTA accepted the connection, such as 192.0.2.1:587',
      toListen,
    )
    .option('--peer <ip>', 'address of the SMTP client', toPeer)
    .option('--pathway <name>', 'value of the pathway macro, such as the SASL login')
    .option('--macro <name=value>', 'a macro of the MTA; may be repeated', addMacro)
    .option('--sender <address>', 'envelope sender', bare)
    .option('--recipient <address>', 'envelope recipient; may be repeated', append);
}

/** The envelope that the options describe, with one unknown recipient if none is named. */
export function envelopeOf(
  options: Options,
): Envelope & { readonly recipients: readonly string[] } {
  const { listener, listen, peer, pathway, macro = {} } = options;
  const macros = new Map(Object.entries(macro));
  return {
    macro: (name) => macros.get(name),
    facts: {
      ...(listener !== undefined && { listener }),
      ...(listen !== undefined && { listen }),
      ...(peer !== undefined && { peer }),
      ...(pathway !== undefined && { pathway }),
    },
    sender: options.sender,
    recipients: options.recipient ?? [''],
  };
}

/**
 * Validates --listen: the milter accepts any value from an MTA, but a typing error here would give
 * a wrong answer.
 */
function toListen(text: string): string {
  if (parseListen(text)) return text;
  throw new InvalidArgumentError('Expected ADDRESS:PORT, such as 192.0.2.1:587, or a unix path.');
}

function toPeer(text: string): string {
  if (parseNetwork(text)) return text;
  throw new InvalidArgumentError('Expected an IP address, such as 192.0.2.1 or 2001:db8::1.');
}

function addMacro(text: string, macros: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^\{?([^{}=]+)\}?=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('Expected NAME=VALUE, such as {auth_authen}=newsletter.');
  }
  return { ...macros, [name]: value };
}

function append(text: string, list: readonly string[] = []): readonly string[] {
  return [...list, bare(text)];
}

/** Removes angle brackets, in which addresses stand in logs and SMTP. */
function bare(address: string): string {
  return address.replace(/^<(.*)>$/, '$1');
}
