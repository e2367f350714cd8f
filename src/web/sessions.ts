import { randomBytes } from 'node:crypto';

/** How long a session lasts after its last request. */
const IDLE_MS = 12 * 3_600_000;
/** Sessions that are remembered; the oldest ends first. */
const MAX_SESSIONS = 1000;

const COOKIE = 'clickmilter_session';

/** A browser that has logged in, or that has opened a form over a unix socket. */
export interface Session {
  readonly id: string;
  /** Stands in every form of the session: other sites cannot know it. */
  readonly formToken: string;
  readonly hasLogin: boolean;
}

/** The sessions of the page; they end with the process. */
export class Sessions {
  readonly #sessions = new Map<string, { readonly session: Session; ends: number }>();

  open(hasLogin: boolean): Session {
    const session = { id: secret(), formToken: secret(), hasLogin };
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size < MAX_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    this.#sessions.set(session.id, { session, ends: Date.now() + IDLE_MS });
    return session;
  }

  /** @param cookies the header of a request */
  find(cookies: string | undefined): Session | undefined {
    const id = cookieOf(cookies);
    const found = id === undefined ? undefined : this.#sessions.get(id);
    if (id === undefined || found === undefined) return undefined;
    this.#sessions.delete(id);
    if (found.ends < Date.now()) return undefined;
    found.ends = Date.now() + IDLE_MS;
    this.#sessions.set(id, found); // the last in the order of use
    return found.session;
  }

  end({ id }: Session): void {
    this.#sessions.delete(id);
  }

  endAll(): void {
    this.#sessions.clear();
  }
}

/**
 * The cookie of a session, or the one that removes it: no script reads it, and no request that
 * another site starts has it.
 */
export function sessionCookie(session: Session | undefined, isHttps: boolean): string {
  const pair = `${COOKIE}=${session === undefined ? '; Max-Age=0' : session.id}`;
  return `${pair}; Path=/; HttpOnly; SameSite=Strict${isHttps ? '; Secure' : ''}`;
}

function cookieOf(cookies = ''): string | undefined {
  return new RegExp(`(?:^|; ?)${COOKIE}=([\\w-]{1,100})(?:;|$)`).exec(cookies)?.[1];
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}
