/** One milter of Postfix's smtpd_milters or non_smtpd_milters. */
export interface Milter {
  /** `inet:HOST:PORT` or `unix:PATH`, an IPv6 address without brackets. */
  readonly place: string;
  /** What braces give it of its own, e.g. `default_action`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Reads a list such as `inet:localhost:8891, { unix:/run/x, default_action=accept }` (postconf(5), smtpd_milters). */
export function parseMilters(list: string): readonly Milter[] {
  return [...list.matchAll(/\{([^}]*)\}|[^\s,{}]+/g)].flatMap(([word, inBraces]) => {
    const [address = '', ...settings] = (inBraces ?? word)
      .split(/[\s,]+/)
      .filter((one) => one !== '');
    if (address === '') return [];
    return {
      place: placeOf(address),
      settings: Object.fromEntries(settings.map((one) => one.split('=', 2) as [string, string])),
    };
  });
}

/** `local:` is `unix:`, `inet:PORT@HOST` is Sendmail's way to say `inet:HOST:PORT`, and brackets are optional. */
function placeOf(address: string): string {
  const [, kind = 'inet', rest = address] = /^(inet6?|unix|local):(.*)$/.exec(address) ?? [];
  if (kind === 'unix' || kind === 'local') return `unix:${rest}`;
  const [, port, host] = /^(\d+)@(.*)$/.exec(rest) ?? [];
  return `inet:${(host === undefined ? rest : `${host}:${port}`).replace(/^\[(.*)\]/, '$1')}`;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** A time of Postfix's, such as `30s` or `5m`, in seconds. */
export function seconds(time: string): number {
  const [, digits = 'NaN', unit = 's'] = /^(\d+)([smhdw]?)$/.exec(time) ?? [];
  return Number(digits) * (UNITS[unit || 's'] ?? 1);
}
