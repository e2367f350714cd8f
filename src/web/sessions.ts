import { randomBytes } from 'node:crypto';
import { HOUR_MS } from '../lib/days.ts';

/** How long a session lasts after its last request. */
const IDLE_MS = 12 * HOUR_MS;
/** Sessions of each kind that are remembered; the oldest ends first. */
const MAX_SESSIONS = 1000;

const COOKIE = 'clickmilter_session';

/** A browser that has logged in, or that has opened a form over a unix socket. */
export interface Session {
  readonly id: string;
  /** Stands in every form of the session: other sites cannot know it. */
  readonly formToken: string;
  readonly hasLogin: boolean;
}

interface Remembered {
  readonly session: Session;
  ends: number;
}

/** The sessions of the page; they end with the process. */
export class Sessions {
  readonly #withLogin = new Map<string, Remembered>();
  /** Anybody at the unix socket opens these, so they take no place from a login. */
  readonly #withoutLogin = new Map<string, Remembered>();

  open(hasLogin: boolean): Session {
    const session = { id: secret(), formToken: secret(), hasLogin };
    const sessions = this.#like(session);
    for (const oldest of sessions.keys()) {
      if (sessions.size < MAX_SESSIONS) break;
      sessions.delete(oldest);
    }
    sessions.set(session.id, { session, ends: Date.now() + IDLE_MS });
    return session;
  }

  /** @param cookies the header of a request */
  find(cookies: string | undefined): Session | undefined {
    // A sibling domain may set cookies of the same name, also with a session without a login.
    const ids = idsIn(cookies);
    for (const sessions of [this.#withLogin, this.#withoutLogin]) {
      for (const id of ids) {
        const found = sessions.get(id);
        if (found === undefined) continue;
        sessions.delete(id);
        if (found.ends < Date.now()) continue;
        found.ends = Date.now() + IDLE_MS;
        sessions.set(id, found); // the last in the order of use
        return found.session;
      }
    }
    return undefined;
  }

  end(session: Session): void {
    this.#like(session).delete(session.id);
  }

  endAll(): void {
    this.#withLogin.clear();
    this.#withoutLogin.clear();
  }

  #like({ hasLogin }: Session): Map<string, Remembered> {
    return hasLogin ? this.#withLogin : this.#withoutLogin;
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

function idsIn(cookies = ''): string[] {
  const found = cookies.matchAll(new RegExp(`(?<=^|; ?)${COOKIE}=([\\w-]{1,100})(?=;|$)`, 'g'));
  return [...found].map(([, id = '']) => id);
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}
