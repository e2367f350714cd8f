import { dirname, resolve } from 'node:path';
import { compile } from 'css-select';
import { parseNetwork } from '../lib/address.ts';
import { parseAppendQuery } from '../lib/append-query.ts';
import { hasStrayBraces, namesInBraces } from '../lib/braces.ts';
import { asciiDomain, parseTrackingDomain } from '../lib/host-name.ts';
import { isRedisHost, parseRedisUrl } from '../lib/redis-url.ts';
import { parseBoolean, parseChoice, parseWholeNumber } from '../lib/values.ts';
import { contextVariables } from '../scope/context-variables.ts';
import type { OptionValue, Origin } from '../scope/option-value.ts';
import { parseDomainTemplate } from '../scope/tracking-domain.ts';
import { notImplemented } from './momentum-names.ts';
import type { ScalarNode, ValueNode } from './parser.ts';
import { nearest } from './problem.ts';

/**
 * The type of an option: how its values are read, named and written. `T` is the value in the file,
 * `U` the value that the program uses.
 */
export interface OptionType<T extends OptionValue = OptionValue, U = T> {
  /** Describes valid values; follows "must be". */
  readonly expects: string;
  /** @returns undefined for an invalid value, after reporting each mistake */
  read(value: ValueNode, report: ReportMistake): T | undefined;
  /** Writes a value, if the general form does not suit it. */
  write?(value: T): string;
  /** Converts the value to the form that the program uses; absent if that is the same. */
  use?(value: T): U;
  /** The words that are valid, if the type is a choice. */
  readonly choices?: readonly string[];
  /** Suffix of the name of the field in `Configuration`. */
  readonly suffix?: string;
}

/**
 * @param message follows the name of the option, e.g. `must be on or off`
 * @param given the invalid value, which is repeated only if it cannot be a secret
 */
type ReportMistake = (origin: Origin, message: string, given?: ValueNode) => void;

/**
 * A type of single values.
 * @param parse returns undefined for an invalid text, or throws a RangeError that says why
 */
export function scalarType<T extends string | number | boolean>(
  expects: string,
  parse: (text: string, origin: Origin) => T | undefined,
): OptionType<T> {
  return {
    expects,
    read(node, report) {
      try {
        const value = node.kind === 'scalar' ? parse(node.text, node.origin) : undefined;
        if (value === undefined) report(node.origin, `must be ${expects}`, node);
        return value;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        report(node.origin, error.message);
        return undefined;
      }
    },
  };
}

export const booleanType = scalarType(
  'on or off (or true/false, enabled/disabled, 1/0)',
  parseBoolean,
);

export const stringType = scalarType('a non-empty string', (text) => text || undefined);

export function integerType(min: number, max: number): OptionType<number> {
  return scalarType(`a whole number from ${min} to ${max}`, (text) =>
    parseWholeNumber(text, min, max),
  );
}

/** Seconds in the file, milliseconds in the program. The name of the field ends in `Ms`. */
export interface DurationType extends OptionType<number> {
  readonly suffix: 'Ms';
}

/** A duration, which may have decimals. */
export function secondsType(min: number, max: number): DurationType {
  const type = scalarType(`a number of seconds from ${min} to ${max}`, (text) => {
    const value = /^\d{1,10}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });
  return { ...type, suffix: 'Ms', use: (seconds) => Math.round(seconds * 1000) };
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const timeUnits: Readonly<Record<string, number>> = { s: 1, m: MINUTE, h: HOUR, d: 24 * HOUR };

/**
 * A long time: a number with a unit.
 * @param least the minimum as it would be written, such as "1h"
 */
export function ageType(least: string): DurationType {
  const min = parseAge(least) ?? 0;
  const type = scalarType(
    `a time of at least ${least}: a number followed by s, m, h or d, such as 90d`,
    (text) => {
      const seconds = parseAge(text);
      return seconds !== undefined && seconds >= min ? seconds : undefined;
    },
  );
  return { ...type, write: writeAge, suffix: 'Ms', use: (seconds) => seconds * 1000 };
}

function parseAge(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,9})([smhd])$/i.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (timeUnits[unit.toLowerCase()] ?? 1);
}

/** In the largest unit that needs no decimals. */
function writeAge(seconds: number): string {
  const [unit, size] = Object.entries(timeUnits).findLast(([, one]) => seconds % one === 0) ?? [
    's',
    1,
  ];
  return `${seconds / size}${unit}`;
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** A number of bytes, at least 1. */
export const sizeType: OptionType<number> = {
  ...scalarType(
    'a size: a number of bytes, or a number followed by K, M or G, such as 25M',
    parseSize,
  ),
  write: writeSize,
};

/**
 * A number of bytes with a minimum.
 * @param least the minimum as it would be written, such as "256M"
 */
export function sizeFromType(least: string): OptionType<number> {
  const min = parseSize(least) ?? 1;
  const type = scalarType(
    `a size of at least ${least}: a number of bytes, or a number followed by K, M or G`,
    (text) => {
      const bytes = parseSize(text);
      return bytes !== undefined && bytes >= min ? bytes : undefined;
    },
  );
  return { ...type, write: writeSize };
}

function parseSize(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,12})([kmg]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * (units[unit.toLowerCase()] ?? 1);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** In the largest unit that needs no decimals. */
function writeSize(bytes: number): string {
  const [unit = '', size = 1] =
    Object.entries(units).findLast(([, size]) => bytes % size === 0) ?? [];
  return `${bytes / size}${unit.toUpperCase()}`;
}

export function choiceType<const T extends string>(...values: readonly T[]): OptionType<T> {
  const names = values.map((value) => `"${value}"`);
  const expects = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  return { ...scalarType(expects, (text) => parseChoice(values, text)), choices: values };
}

/**
 * A file or folder. A relative path starts at the folder of the configuration file that contains
 * it.
 */
export const pathType = scalarType('a path', (text, { file }) =>
  text === '' || text.includes('\0') ? undefined : resolve(dirname(file), text),
);

/** One value, or an array of them. */
export function listType<T extends string>(item: OptionType<T>): OptionType<readonly T[]> {
  return {
    expects: `a list of: ${item.expects}`,
    read(node, report) {
      if (node.kind === 'map') {
        report(node.origin, `must be ( "a" "b" ), each ${item.expects}, not a map`);
        return undefined;
      }
      const items = node.kind === 'array' ? node.items : [node];
      const values = items.map((value) => item.read(value, report));
      const right = values.filter((value) => value !== undefined);
      return right.length === values.length ? right : undefined;
    },
  };
}

/**
 * A type whose values the program uses in another form, such as patterns in the form of a compiled
 * matcher.
 */
export function usedAs<T extends OptionValue, U>(
  type: OptionType<T>,
  use: (value: T) => U,
): OptionType<T, U> {
  return { ...type, use };
}

/**
 * A map of names to strings.
 * @param check reports a mistake in an entry and then returns false
 */
function mapType(
  check: (name: ScalarNode, value: ScalarNode, report: ReportMistake) => boolean,
): OptionType<ReadonlyMap<string, string>> {
  return {
    expects: 'a map: [ name = "value" ]',
    read(node, report) {
      if (node.kind !== 'map') {
        report(node.origin, `must be ${this.expects}`, node);
        return undefined;
      }
      const right = node.entries.filter(({ name, value }) => check(name, value, report));
      if (right.length < node.entries.length) return undefined;
      return new Map(right.map(({ name, value }) => [name.text.toLowerCase(), value.text]));
    },
  };
}

/** The end of a message about an invalid value. */
export function notGiven(node: ValueNode): string {
  if (node.kind === 'scalar') return `, not "${node.text}"`;
  return node.kind === 'array' ? ', not an array' : ', not a map';
}

export const hostNameType = scalarType(
  'a host name with or without a port, such as "click.example.com" or "localhost:8080"',
  parseTrackingDomain,
);

export const trackingDomainType = scalarType(
  `${hostNameType.expects}, or with the domain of the sender, such as "click.{sender_domain}"`,
  parseDomainTemplate,
);

export const domainPatternType = scalarType(
  'a domain such as "example.com" (with its subdomains) or "*.example.com" (subdomains only)',
  (text) => (isDomainPattern(text) ? text : undefined),
);

export const recipientPatternType = scalarType(
  'an address such as "user@example.com" or a domain',
  (text) => {
    const at = text.lastIndexOf('@');
    const [local, domain] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)];
    const ok = at < 0 ? isDomainPattern(text) : local !== '' && isDomainPattern(domain);
    return ok && !/[\s<>]/.test(text) ? text : undefined;
  },
);

/**
 * Long enough for any URL. The cost of a match is bounded by the length of the pattern times that
 * of the URL.
 */
const maxPatternLength = 1000;

export const urlPatternType = scalarType(
  `a URL of at most ${maxPatternLength} characters, in which * stands for any characters, such as "*/unsubscribe*"`,
  (text) => (text !== '' && text.length <= maxPatternLength && !/\s/.test(text) ? text : undefined),
);

export const selectorType = scalarType(
  'a CSS selector such as "a.no-tracking" or "footer a"',
  (text) => (isSelector(text) ? text : undefined),
);

export const appendQueryType = scalarType(
  'parameters of a URL such as "utm_source=news&utm_campaign={campaign_id}", of up to 128 characters',
  parseAppendQuery,
);

export const proxyType = scalarType(
  'an IP address, a network such as "10.0.0.0/8", or "unix" for all peers of unix sockets',
  (text) => (text === 'unix' || parseNetwork(text) ? text : undefined),
);

export const networksType = listType(
  scalarType(
    'an IP address, a network such as "198.51.100.0/24", or "file:" and the path of a file with one of them per line',
    (text, { file }) => {
      if (!text.startsWith('file:')) return parseNetwork(text) ? text : undefined;
      const path = text.slice('file:'.length);
      return path === '' || path.includes('\0')
        ? undefined
        : `file:${resolve(dirname(file), path)}`;
    },
  ),
);

export const contactType = scalarType(
  'an address such as "postmaster@example.com", or an http:// or https:// URL',
  (text) => {
    if (/^https?:\/\//i.test(text)) return URL.canParse(text) ? new URL(text).href : undefined;
    return /^[^\s<>"@]{1,64}@[^\s<>"@]{1,253}$/.test(text) ? text : undefined;
  },
);

export const redisUrlType = scalarType('a redis://, rediss:// or unix:// URL', (text) => {
  parseRedisUrl(text);
  return text;
});

export const hostPortType = scalarType('a host and a port such as "10.0.0.1:26379"', (text) => {
  const [, host = '', port] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const isRight = isRedisHost(host) && !host.includes(':');
  const isV6 = /^\[.*\]$/.test(host) && isRedisHost(host.slice(1, -1));
  return (isRight || isV6) && Number(port) > 0 && Number(port) < 65536 ? text : undefined;
});

export const fileModeType: OptionType<number> = {
  ...scalarType('a file mode such as 0660', (text) =>
    /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined,
  ),
  write: (mode) => `0${mode.toString(8).padStart(3, '0')}`,
};

export const macroTemplateType = scalarType(
  'a string with macros in braces, such as "{daemon_addr}:{daemon_port}"',
  (text) => (namesInBraces([text]).length > 0 && !hasStrayBraces(text) ? text : undefined),
);

export const workersType: OptionType<number | 'auto'> = scalarType(
  '"auto" or a whole number from 1 to 64',
  (text) => parseChoice(['auto'], text) ?? parseWholeNumber(text, 1, 64),
);

const unlimited = { maxMetadataLen: Number.POSITIVE_INFINITY };
const variables = Object.values(contextVariables);

/** Context variables. Those that decide something are checked here, not for every message. */
export const contextType = mapType((name, value, report) => {
  const key = name.text.toLowerCase();
  const variable = variables.find((candidate) => candidate.name === key);
  if (variable && variable.parse(value.text, unlimited) === undefined) {
    report(value.origin, `has ${key} = "${value.text}", which must be ${variable.expected}`);
    return false;
  }
  if (!variable && key.startsWith('smtpapi_') && !(key in notImplemented)) {
    const names = variables.map((candidate) => candidate.name);
    report(name.origin, `has ${key}, which clickmilter does not know${nearest(key, names)}`);
    return false;
  }
  return true;
});

function isDomainPattern(text: string): boolean {
  const name = asciiDomain(text.replace(/^\*?\./, ''));
  return parseTrackingDomain(name) !== undefined && !/:\d+$/.test(name);
}

function isSelector(text: string): boolean {
  if (text.trim() === '' || text.length > maxPatternLength) return false;
  try {
    compile(text);
    return true;
  } catch {
    return false;
  }
}
