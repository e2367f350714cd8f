import { type Agent, request } from 'node:http';

export interface Followed {
  readonly status: number;
  readonly location: string | undefined;
}

/** A request to a redirect endpoint. */
export interface Asked {
  /** The address of the endpoint, where it is not the loopback's. */
  readonly address?: string;
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

export function ask({ address = '127.0.0.1', ...asked }: Asked): Promise<Followed> {
  return new Promise((resolve, reject) => {
    request({ ...asked, host: address }, (answer) => {
      answer.resume();
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, location: answer.headers.location }),
      );
    })
      .once('error', reject)
      .end();
  });
}

/** Asks the redirect endpoint on `port` for a tracked URL, whose host name leads nowhere in a test. */
export function follow(
  port: number,
  url: string,
  method = 'GET',
  others: Readonly<Record<string, string>> = {},
): Promise<Followed> {
  const { host, pathname, search } = new URL(url);
  return ask({ port, path: pathname + search, method, headers: { ...others, host } });
}
