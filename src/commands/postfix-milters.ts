/** One milter of Postfix's smtpd_milters or non_smtpd_milters. */
export interface Milter {
  /** `inet:HOST:PORT` or `unix:PATH`, an IPv6 address without brackets. */
  readonly place: string;
  /** As the list has it, with its braces. */
  readonly text: string;
  /** What braces give it of its own, e.g. `default_action`. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Reads a list such as `inet:localhost:8891, { unix:/run/x, { default_action = accept } }` (postconf(5), smtpd_milters,
 * and MILTER_README). White space around `=` takes braces of its own.
 */
export function parseMilters(list: string): readonly Milter[] {
  return words(list).flatMap((word) => {
    const [address, ...settings] = word.startsWith('{') ? words(withoutBraces(word)) : [word];
    if (address === undefined) return [];
    return {
      place: placeOf(address),
      text: word,
      settings: Object.fromEntries(settings.map((one) => nameAndValue(withoutBraces(one)))),
    };
  });
}

/** What commas and white space separate, unless they are in braces. */
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

function nameAndValue(setting: string): [string, string] {
  const [name = '', ...value] = setting.split('=');
  return [name.trim(), value.join('=').trim()];
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
