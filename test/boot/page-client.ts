import { type IncomingMessage, request } from 'node:http';

function open(path: string, headers = {}, port = 8896): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // A connection of its own: the service restarts meanwhile.
    request({ host: '127.0.0.1', port, path, headers, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
}

/** Asks the page, or what else listens at a port of this host. */
export async function ask(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  port = 8896,
) {
  const answer = await open(path, headers, port);
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return { status: answer.statusCode, text };
}

/** Looks at clicks as they come. */
export async function openStream() {
  const answer = await open('/live/events');
  if (answer.statusCode !== 200) throw new Error(`the page answers ${answer.statusCode}`);
  let text = '';
  answer.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  answer.on('error', () => {}); // a stop breaks it off
  const ended = new Promise((resolve) => answer.once('close', resolve));
  return { text: () => text, ended, close: () => answer.destroy() };
}
