import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openMessage } from '../../src/message/open-message.ts';

const folder = new URL('corpus/', import.meta.url);

/** Adding a case is adding a message; `vitest -u` writes what comes of it, to be looked at. */
test.each(readdirSync(folder).filter((name) => name.endsWith('.eml')))('%s', async (name) => {
  const source = readFileSync(new URL(name, folder), 'latin1');
  const bodyStart = source.indexOf('\r\n\r\n') + 4;
  const headers = source
    .slice(0, bodyStart - 4)
    .split(/\r\n(?![ \t])/)
    .map((line) => {
      const colon = line.indexOf(':');
      return { name: line.slice(0, colon), value: line.slice(colon + 1).replaceAll('\r\n', '\n') };
    });
  const open = openMessage(headers);
  open.write(Buffer.from(source.slice(bodyStart), 'latin1'));
  let number = 0;
  const { body = [], links } = open.end().rewrite(() => `https://t.example/${number++}`);
  const report = links.map(
    ({ part, target, name: linkName, url, reason }) =>
      `${part} ${target} ${linkName ? `"${linkName}" ` : ''}${url ? `-> ${url}` : `left alone: ${reason}`}`,
  );
  const text = `${report.join('\n')}\n\n${Buffer.concat(body).toString('latin1').replaceAll('\r\n', '\n')}`;
  await expect(Buffer.from(text, 'latin1').toString('utf8')).toMatchFileSnapshot(
    new URL(`${name}.expected`, folder).pathname,
  );
});
