import { hostname, networkInterfaces } from 'node:os';
import type { Configuration } from '../config/configuration.ts';

/** The addresses by which Postfix can name the milter's listeners, outside and inside a chroot. */
export interface Places {
  readonly open: ReadonlySet<string>;
  readonly chrooted: ReadonlySet<string>;
}

/** The addresses of the milter, by all names of this host. */
export function placesOf(config: Configuration, settings: Settings): Places {
  const queue = settings['queue_directory'] ?? '';
  const open = new Set<string>();
  const chrooted = new Set<string>();
  for (const address of config.milter.listen) {
    if ('path' in address) {
      open.add(`unix:${address.path}`);
      if (!address.path.startsWith(`${queue}/`)) continue;
      const below = address.path.slice(queue.length + 1);
      // A path without a slash in front starts at the queue folder.
      open.add(`unix:${below}`);
      chrooted.add(`unix:${below}`).add(`unix:/${below}`);
    } else {
      for (const host of namesOf(address.host, settings['myhostname'])) {
        open.add(`inet:${host}:${address.port}`);
        chrooted.add(`inet:${host}:${address.port}`);
      }
    }
  }
  return { open, chrooted };
}

/** The names of a listener for programs on this host; see ListenAddress for the wildcards. */
function namesOf(host: string | undefined, myhostname = hostname()): readonly string[] {
  const names = ['localhost', hostname(), myhostname];
  if (host === undefined) return [...addresses('IPv4'), ...addresses('IPv6'), ...names];
  if (host === '0.0.0.0') return [...addresses('IPv4'), ...names];
  if (host === '::') return [...addresses('IPv6'), ...names];
  return host === '::1' || host.startsWith('127.') ? [host, 'localhost'] : [host];
}

/** All addresses of this host, loopback first. */
function addresses(family: 'IPv4' | 'IPv6'): readonly string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((ofInterface = []) => ofInterface)
    .filter((one) => one.family === family);
  return [family === 'IPv4' ? '127.0.0.1' : '::1', ...found.map(({ address }) => address)];
}

/** Writes an address as in main.cf. */
export function written(place: string): string {
  return place.replace(/^inet:(.*:.*):(\d+)$/, 'inet:[$1]:$2');
}

/** An enabled smtpd service of master.cf. */
export interface Service {
  /** The name in master.cf, such as `smtp/inet`. */
  readonly name: string;
  readonly chroot: boolean;
  /** Whether its mail passes a content filter afterwards. */
  readonly filtered: boolean;
  /** Whether it passes mail to a proxy filter, so that its milters see no content. */
  readonly proxied: boolean;
  /** Empty if it must not use milters. */
  readonly milters: readonly Milter[];
  /** Whether a table may give clients other milters, or none. */
  readonly mapped: boolean;
  readonly defaultAction: string;
  /** Whether master.cf overrides smtpd_milters of main.cf. */
  readonly own: boolean;
}

/** The settings of main.cf by name. */
export type Settings = Readonly<Record<string, string>>;
/** Runs postconf(1) and returns its lines. */
export type Postconf = (...args: string[]) => Promise<string[]>;

const NAMES = [
  'smtpd_milters',
  'smtpd_milter_maps',
  'non_smtpd_milters',
  'receive_override_options',
  'content_filter',
  'smtpd_proxy_filter',
  'milter_default_action',
  'milter_protocol',
  'milter_command_timeout',
  'milter_content_timeout',
  'master_service_disable',
  'myhostname',
  'queue_directory',
];

/** Reads the settings of main.cf, or their defaults, that affect milters. */
export async function readSettings(postconf: Postconf): Promise<Settings> {
  // -x expands $name.
  return Object.fromEntries((await postconf('-x', ...NAMES)).map(nameAndValue));
}

/** Reads the smtpd services of master.cf, whose settings override those of main.cf. */
export async function readServices(postconf: Postconf, settings: Settings): Promise<Service[]> {
  const overrides = new Map((await postconf('-Px')).map(nameAndValue));
  const services: Service[] = [];
  for (const line of await postconf('-M')) {
    const [service = '', type = '', , , chroot, , , command] = line.split(/\s+/);
    const name = `${service}/${type}`;
    if (command !== 'smtpd' || isDisabled(name, type, settings)) continue;
    const setting = (option: string) =>
      overrides.get(`${name}/${option}`) ?? settings[option] ?? '';
    const asks = !setting('receive_override_options').includes('no_milters');
    services.push({
      name,
      chroot: chroot === 'y',
      filtered: setting('content_filter') !== '',
      proxied: setting('smtpd_proxy_filter') !== '',
      milters: asks ? parseMilters(setting('smtpd_milters')) : [],
      mapped: asks && setting('smtpd_milter_maps') !== '',
      defaultAction: setting('milter_default_action'),
      own: asks && overrides.has(`${name}/smtpd_milters`),
    });
  }
  return services;
}

/** Splits a line of postconf. The value may contain ` = ` too. */
function nameAndValue(line: string): [string, string] {
  const [, name = line, value = ''] = /^(\S+) = ?(.*)$/.exec(line) ?? [];
  return [name, value];
}

/** The first matching pattern decides (postconf(5), master_service_disable). */
function isDisabled(name: string, type: string, settings: Settings): boolean {
  for (const pattern of (settings['master_service_disable'] ?? '').split(/[\s,]+/)) {
    const [, not = '', what = ''] = /^(!?)(.*)$/.exec(pattern.toLowerCase()) ?? [];
    if (what === type || what === name.toLowerCase()) return not === '';
  }
  return false;
}

/** One milter of smtpd_milters or non_smtpd_milters. */
export interface Milter {
  /** `inet:HOST:PORT` or `unix:PATH`, an IPv6 address without brackets. */
  readonly place: string;
  /** The text in the list, with its braces. */
  readonly text: string;
  /** Its own settings in braces, such as `default_action`. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Parses a list such as `inet:localhost:8891, { unix:/run/x, { default_action = accept } }`
 * (postconf(5), smtpd_milters, and MILTER_README). A setting with white space around `=` has braces
 * of its own.
 */
export function parseMilters(list: string): readonly Milter[] {
  return words(list).flatMap((word) => {
    const [address, ...settings] = word.startsWith('{') ? words(withoutBraces(word)) : [word];
    if (address === undefined) return [];
    return {
      place: placeOf(address),
      text: word,
      settings: Object.fromEntries(settings.map((one) => pairOf(withoutBraces(one)))),
    };
  });
}

/** Splits a list at commas and white space outside braces. */
function words(list: string): string[] {
  const found: string[] = [];
  let word = '';
  let depth = 0;
  for (const char of list) {
    if (char === '{') depth++;
    else if (char === '}') depth--;
    if (depth > 0 || !/[\s,]/.test(char)) {
      word += char;
    } else if (word !== '') {
      found.push(word);
      word = '';
    }
  }
  return word === '' ? found : [...found, word];
}

function withoutBraces(word: string): string {
  return word.replace(/^\{|\}$/g, '');
}

function pairOf(setting: string): [string, string] {
  const [name = '', ...value] = setting.split('=');
  return [name.trim(), value.join('=').trim()];
}

/**
 * `local:` means `unix:`, `inet:PORT@HOST` is Sendmail's form of `inet:HOST:PORT`, and brackets are
 * optional.
 */
function placeOf(address: string): string {
  const [, kind = 'inet', rest = address] = /^(inet6?|unix|local):(.*)$/.exec(address) ?? [];
  if (kind === 'unix' || kind === 'local') return `unix:${rest}`;
  const [, port, host] = /^(\d+)@(.*)$/.exec(rest) ?? [];
  return `inet:${(host === undefined ? rest : `${host}:${port}`).replace(/^\[(.*)\]/, '$1')}`;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Converts a time of Postfix, such as `30s` or `5m`, to seconds. */
export function seconds(time: string): number {
  const [, digits = 'NaN', unit = 's'] = /^(\d+)([smhdw]?)$/.exec(time) ?? [];
  return Number(digits) * (UNITS[unit || 's'] ?? 1);
}
