import { type Milter, parseMilters } from './postfix-milters.ts';

/** An smtpd of master.cf that is not switched off. */
export interface Service {
  /** As master.cf has it, e.g. `smtp/inet`. */
  readonly name: string;
  readonly chroot: boolean;
  /** Whether its mail goes through a content filter next. */
  readonly filtered: boolean;
  /** Whether it hands mail to a proxy filter, so that its milters see no content. */
  readonly proxied: boolean;
  /** None where it may not ask any. */
  readonly milters: readonly Milter[];
  /** Whether a table may give a client other milters, or none. */
  readonly mapped: boolean;
  readonly defaultAction: string;
  /** Whether master.cf says so itself, over main.cf. */
  readonly own: boolean;
}

/** What main.cf says, by name. */
export type Settings = Readonly<Record<string, string>>;
/** Runs postconf(1) for its lines. */
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

/** The settings of main.cf, or their defaults, that say how Postfix asks milters. */
export async function readSettings(postconf: Postconf): Promise<Settings> {
  // -x: with what $name stands for.
  return Object.fromEntries((await postconf('-x', ...NAMES)).map(nameAndValue));
}

/** The smtpd services of master.cf, with its settings over those of main.cf. */
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

/** A line of postconf's; the value may have a ` = ` of its own. */
function nameAndValue(line: string): [string, string] {
  const [, name = line, value = ''] = /^(\S+) = ?(.*)$/.exec(line) ?? [];
  return [name, value];
}

/** The first pattern that fits decides (postconf(5), master_service_disable). */
function isDisabled(name: string, type: string, settings: Settings): boolean {
  for (const pattern of (settings['master_service_disable'] ?? '').split(/[\s,]+/)) {
    const [, not = '', what = ''] = /^(!?)(.*)$/.exec(pattern.toLowerCase()) ?? [];
    if (what === type || what === name.toLowerCase()) return not === '';
  }
  return false;
}
