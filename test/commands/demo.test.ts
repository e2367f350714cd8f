import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../helpers/free-port.ts';
import { runCli } from '../helpers/run-cli.ts';

test('the demo shows the message before and after, a link followed, and the click', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-demo-'));
  try {
    const http = await freePort();
    const config = join(folder, 'clickmilter.conf');
    await writeFile(
      config,
      `Milter_Listener { Listen "127.0.0.1:${await freePort()}" { } }
       HTTP_Listener { Listen "127.0.0.1:${http}" { } }
       ESMTP_Listener { Listen "*:587" { click_tracking_enabled = on tracking_domain = "localhost:${http}" } }
       Control_Listener { enable = off }`,
    );
    const { code, stdout, stderr } = await runCli(['-c', config, 'demo']);
    const text = stdout.toString();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(text).toContain(
      '- Tulips first (all about them: https://www.example.com/guide/tulips),',
    );
    expect(text).toMatch(/\+ Tulips first \(all about them: http:\/\/localhost:\d+\/[\w-]+\),/);
    expect(text).toContain('302 Found\nLocation: https://www.example.com/guide/tulips\n');
    expect(text).toContain('"target_link_url": "https://www.example.com/guide/tulips"');
    expect(text).toContain('"rcpt_to": "ada@customer.example"');
  } finally {
    await rm(folder, { recursive: true });
  }
});
