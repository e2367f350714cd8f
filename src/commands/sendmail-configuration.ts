import { parseMilters } from './postfix-configuration.ts';

/** A milter of sendmail.cf: `Xclickmilter, S=unix:/run/x.sock, F=T, T=S:30s`. */
export interface SendmailFilter {
  readonly name: string;
  /** `inet:HOST:PORT` or `unix:PATH`. */
  readonly place: string;
  /** F=: `T` defers mail while it is away, `R` refuses it; absent lets it pass. */
  readonly flags: string;
}

/** An address at which Sendmail accepts mail, and the names of the milters that it asks, in order. */
export interface SendmailDaemon {
  readonly name: string;
  readonly asks: readonly string[];
  /** The text of its own list, which replaces InputMailFilters. */
  readonly own: string | undefined;
}

/** What sendmail.cf says of milters. */
export interface SendmailSettings {
  readonly filters: readonly SendmailFilter[];
  readonly daemons: readonly SendmailDaemon[];
  readonly pidFile: string;
  /** The words of DontBlameSendmail, in lower case: what Sendmail finds unsafe and allows. */
  readonly allowed: readonly string[];
}

/** Reads sendmail.cf, in which a line that begins with white space continues the one before. */
export function parseSendmailCf(cf: string): SendmailSettings {
  const lines = cf.replace(/\n[ \t]+/g, ' ').split('\n');
  const options = lines.flatMap((line): [string, string][] => {
    const [, name, value = ''] = /^O\s*([\w.]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    return name === undefined ? [] : [[name.toLowerCase(), value]];
  });
  const last = (name: string) => options.findLast(([one]) => one === name)?.[1];
  const common = namesIn(last('inputmailfilters') ?? '');
  const daemons = options
    .filter(([name]) => name === 'daemonportoptions')
    .map(([, value]): SendmailDaemon => {
      const equates = equatesOf(value);
      const own = equates.get('I');
      return {
        name: equates.get('N') ?? `port ${equates.get('P') ?? 25}`,
        asks: own === undefined ? common : namesIn(own),
        own,
      };
    });
  return {
    filters: lines.flatMap(filterOf),
    // Without one, Sendmail listens on ports 25 and 587.
    daemons: daemons.length > 0 ? daemons : [{ name: 'MTA', asks: common, own: undefined }],
    pidFile: last('pidfile') ?? '/var/run/sendmail.pid',
    allowed: namesIn((last('dontblamesendmail') ?? '').toLowerCase()),
  };
}

function filterOf(line: string): readonly SendmailFilter[] {
  const [, name, text = ''] = /^X\s*([\w-]+)\s*,(.*)$/.exec(line) ?? [];
  if (name === undefined) return [];
  const equates = equatesOf(text);
  const socket = equates.get('S') ?? '';
  // Without a family it is a path.
  const [milter] = parseMilters(socket.includes(':') ? socket : `unix:${socket}`);
  return [{ name, place: milter?.place ?? '', flags: equates.get('F') ?? '' }];
}

/** The parts of `Name=MTA, Port=smtp`, by the first letters of their names, which are all that Sendmail reads. */
function equatesOf(text: string): ReadonlyMap<string, string> {
  const found = [...text.matchAll(/(?:^|,)\s*(\w)\w*\s*=\s*([^,]*)/g)];
  return new Map(found.map(([, letter = '', value = '']) => [letter.toUpperCase(), value.trim()]));
}

function namesIn(list: string): readonly string[] {
  return list.split(/[\s,;]+/).filter((name) => name !== '');
}
