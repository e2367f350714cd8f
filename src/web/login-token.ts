import { createHash, timingSafeEqual } from 'node:crypto';
import { formatNetwork, isLoopback, parseAddress } from '../lib/address.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { readWhole, UnusableFile } from '../lib/files.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import { isPrintableAscii } from '../lib/text.ts';

const MIN_LENGTH = 16;
const MAX_LENGTH = 512;

/**
 * Reads the token of the login from its file.
 * @throws Error that names the file and says what would be right
 */
export function readLoginToken(path: string): string {
  const token = readWhole(path).toString().trim();
  if (token.length < MIN_LENGTH || token.length > MAX_LENGTH || !isPrintableAscii(token)) {
    throw new UnusableFile(
      `${path}: expected one line of ${MIN_LENGTH} to ${MAX_LENGTH} printable characters without spaces, such as the output of: openssl rand -hex 32`,
    );
  }
  return token;
}

/** Wrong tokens of one network within a minute, after which more are refused unread. */
const MAX_WRONG = 10;
/** Wrong tokens of all networks together: what a proxy says of its clients may be made up. */
const MAX_WRONG_OF_ALL = 1000;
const MINUTE_MS = 60_000;
/** Networks that are remembered. */
const MAX_NETWORKS = 1000;

/** The wrong tokens of a minute. */
class Guesses {
  #since = 0;
  #wrong = 0;

  get count(): number {
    return performance.now() - this.#since > MINUTE_MS ? 0 : this.#wrong;
  }

  add(): void {
    const { count } = this;
    if (count === 0) this.#since = performance.now();
    this.#wrong = count + 1;
  }
}

/** The token of the login, and who guesses at it. */
export class LoginToken {
  #digest: Buffer;
  readonly #metrics: Metrics;
  readonly #guesses = new BoundedCache<string, Guesses>(MAX_NETWORKS);
  readonly #guessesOfAll = new Guesses();
  /** Networks that have sent the right token: those who guess elsewhere do not keep them out. */
  #welcome = new BoundedCache<string, true>(MAX_NETWORKS);

  constructor(token: string, metrics: Metrics = noMetrics) {
    this.#digest = digestOf(token);
    this.#metrics = metrics;
    for (const reason of ['wrong', 'too many']) {
      metrics.count('web_logins_failed_total', { reason }, 0);
    }
  }

  /** @returns whether it is another token than before */
  replace(token: string): boolean {
    const digest = digestOf(token);
    const isOther = !digest.equals(this.#digest);
    this.#digest = digest;
    if (isOther) this.#welcome = new BoundedCache(MAX_NETWORKS);
    return isOther;
  }

  /**
   * Compares a token, in a time that says nothing about the right one.
   * @param address where it comes from, as far as it is known; undefined for a unix socket
   * @returns `too many` where too many wrong ones came within a minute
   */
  check(token: string, address: string | undefined): 'right' | 'wrong' | 'too many' {
    const checked = this.#compare(token, address);
    if (checked !== 'right') this.#metrics.count('web_logins_failed_total', { reason: checked });
    return checked;
  }

  #compare(token: string, address: string | undefined): 'right' | 'wrong' | 'too many' {
    const network = networkOf(address);
    const guesses = this.#guesses.getOrMake(network, () => new Guesses());
    if (guesses.count >= (network === UNKNOWN ? MAX_WRONG_OF_ALL : MAX_WRONG)) return 'too many';
    const isWelcome = this.#welcome.get(network) !== undefined;
    if (!isWelcome && this.#guessesOfAll.count >= MAX_WRONG_OF_ALL) return 'too many';
    if (timingSafeEqual(digestOf(token), this.#digest)) {
      this.#welcome.set(network, true);
      return 'right';
    }
    guesses.add();
    if (!isWelcome) this.#guessesOfAll.add();
    return 'wrong';
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * All clients of which only this host is known: a proxy here may say nothing of them, and one who
 * guesses must not lock out the others.
 */
const UNKNOWN = '';

/** The network that one client may have as a whole: an IPv6 /64, or an IPv4 address. */
function networkOf(text = ''): string {
  const address = parseAddress(text);
  if (address === undefined || isLoopback(address)) return UNKNOWN;
  return formatNetwork({ address, length: address.length === 16 ? 64 : 32 });
}
