import { request } from 'node:http';

export interface Followed {
  readonly status: number;
  readonly location: string | undefined;
}

/** Asks the redirect endpoint on `port` for a tracked URL, whose host name leads nowhere in a test. */
export function follow(
  port: number,
  url: string,
  method = 'GET',
  others: Readonly<Record<string, string>> = {},
): Promise<Followed> {
  const { host, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request(
      { port, host: '127.0.0.1', path: pathname + search, method, headers: { ...others, host } },
      (answer) => {
        answer.resume();
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, location: answer.headers.location }),
        );
      },
    );
    asked.once('error', reject);
    asked.end();
  });
}
