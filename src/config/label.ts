import { formatNetwork, maskAddress, parseNetwork } from '../lib/address.ts';
import { formatListen, parseListen } from '../scope/listen-address.ts';
import type { ScalarNode } from './parser.ts';
import type { Problems } from './problem.ts';
import type { StanzaDefinition } from './stanzas.ts';

/** Valid labels; follows "must be followed by". */
const expected = {
  listen:
    'an address and port such as "*:25", "127.0.0.1:25" or "[::1]:25", or the path of a unix socket',
  peer: 'an IP address or a network such as "10.0.0.0/8"',
  name: 'a non-empty name',
};

/**
 * The one spelling of a label by which stanzas are compared.
 * @returns undefined for an invalid label
 */
export function canonicalLabel(kind: keyof typeof expected, text: string): string | undefined {
  if (kind === 'name') return text.trim().toLowerCase() || undefined;
  if (kind === 'peer') {
    const network = parseNetwork(text);
    return network && formatNetwork(network);
  }
  const listen = parseListen(text);
  return listen && formatListen(listen);
}

/** Describes what is wrong with an invalid label. */
export function labelMistake(name: string, kind: keyof typeof expected, text: string): string {
  return text === ''
    ? `${name} needs ${expected[kind]} after it`
    : `${name} must be followed by ${expected[kind]}, not by "${text}"`;
}

/**
 * Checks the label of a stanza, or its absence.
 * @returns the canonical label; undefined after an error
 */
export function checkLabel(
  { name, label: rule }: StanzaDefinition,
  label: ScalarNode | undefined,
  origin: ScalarNode['origin'],
  problems: Problems,
): string | undefined {
  if (!rule) {
    if (label) problems.error(label.origin, `${name} takes no name`);
    return label ? undefined : '';
  }
  if (!label) {
    if (rule.required) {
      problems.error(origin, labelMistake(name, rule.kind, ''));
      return undefined;
    }
    return '';
  }
  const canonical = canonicalLabel(rule.kind, label.text);
  if (canonical === undefined)
    problems.error(label.origin, labelMistake(name, rule.kind, label.text));
  const network = rule.kind === 'peer' ? parseNetwork(label.text) : undefined;
  if (network) {
    const masked = maskAddress(network.address, network.length);
    if (masked.some((byte, index) => byte !== network.address[index])) {
      problems.warning(
        label.origin,
        `Peer "${label.text}" has bits set beyond its prefix: clickmilter reads it as ${canonical}`,
      );
    }
  }
  return canonical;
}
