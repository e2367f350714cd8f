const STARS = '********';

/** For a value that is a secret as a whole. */
export const hidden = () => STARS;

/** For a value that holds no secret where it is right. */
export const shown = (value: string) => value;

/** For a URL whose login is a secret. */
export function withoutLogin(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/?#]*@/, `$1${STARS}@`);
}

/** For a URL whose path and query may be secrets as well, as those of many webhooks are. */
export function originOnly(url: string): string {
  const { protocol, host, username, password, pathname, search, hash } = new URL(url);
  const login = username + password === '' ? '' : `${STARS}@`;
  return `${protocol}//${login}${host}/${pathname + search + hash === '/' ? '' : STARS}`;
}
