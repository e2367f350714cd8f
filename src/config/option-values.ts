import { compile } from 'css-select';
import { parseNetwork } from '../lib/address.ts';
import { isRedisHost, parseRedisUrl } from '../lib/redis-url.ts';
import { parseChoice, parseWholeNumber } from '../lib/values.ts';
import { asciiDomain } from '../scope/ascii-domain.ts';
import { contextVariables } from '../scope/context-variables.ts';
import { macroNames } from '../scope/macro-template.ts';
import { parseTrackingDomain } from '../scope/tracking-domain.ts';
import { notImplemented } from './momentum-names.ts';
import { nearest } from './nearest.ts';
import { mapType, type OptionType, scalarType } from './option-type.ts';

export const trackingDomainType = scalarType(
  'a host name with or without a port, such as "click.example.com" or "localhost:8080"',
  parseTrackingDomain,
);

export const domainPatternType = scalarType(
  'a domain such as "example.com" (with all below it) or "*.example.com"',
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

/** Long enough for any URL worth excluding; a match costs at most its length times the URL's. */
const maxPatternLength = 1000;

export const urlPatternType = scalarType(
  `a URL of at most ${maxPatternLength} characters in which * stands for any others, such as "*/unsubscribe*"`,
  (text) => (text !== '' && text.length <= maxPatternLength && !/\s/.test(text) ? text : undefined),
);

export const selectorType = scalarType(
  'a CSS selector such as "a.no-tracking" or "footer a"',
  (text) => (isSelector(text) ? text : undefined),
);

export const networkType = scalarType('an IP address or a network such as "10.0.0.0/8"', (text) =>
  parseNetwork(text) ? text : undefined,
);

export const redisUrlType = scalarType('a URL of redis://, rediss:// or unix://', (text) => {
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
  'a text with macros in braces, such as "{daemon_addr}:{daemon_port}"',
  (text) => {
    const withoutMacros = text.replaceAll(/\{[A-Za-z0-9_]+\}/g, '');
    return macroNames([text]).length > 0 && !/[{}]/.test(withoutMacros) ? text : undefined;
  },
);

export const workersType: OptionType<number | 'auto'> = scalarType(
  '"auto" or a whole number from 1 to 64',
  (text) => parseChoice(['auto'], text) ?? parseWholeNumber(text, 1, 64),
);

const unlimited = { maxMetadataLen: Number.POSITIVE_INFINITY };
const variables = Object.values(contextVariables);

/** Context variables; those that decide something are checked here rather than at every message. */
export const contextType = mapType((name, value, tell) => {
  const key = name.text.toLowerCase();
  const variable = variables.find((candidate) => candidate.name === key);
  if (variable && variable.parse(value.text, unlimited) === undefined) {
    tell(value.origin, `has ${key} = "${value.text}", which must be ${variable.expected}`);
    return false;
  }
  if (!variable && key.startsWith('smtpapi_') && !(key in notImplemented)) {
    const names = variables.map((candidate) => candidate.name);
    tell(name.origin, `has ${key}, which decides nothing${nearest(key, names)}`);
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
