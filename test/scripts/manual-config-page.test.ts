import { expect, test } from 'vitest';
import { configPage } from '../../scripts/manual-config-page.ts';
import { roff } from '../../scripts/roff.ts';
import { stanzas } from '../../src/config/stanzas.ts';

const page = configPage('1.2.3', '2026-11-23');

test('the manual page explains every stanza and every option there is', () => {
  for (const stanza of stanzas) {
    if (stanza.id !== 'global') expect(page).toContain(`.SS "${roff(stanza.name)}`);
    for (const name of Object.keys(stanza.options)) expect(page).toContain(`\\fB${roff(name)}\\fR`);
  }
});

test.each([
  ['file_mode', '0660'],
  ['enable', 'on'],
  ['key_prefix', '"clickmilter:"'],
  ['node_name', 'the host name'],
])('it shows the default of %s as it is written in the file', (name, text) => {
  const [, entry = ''] = page.split(`\\fB${roff(name)}\\fR\n`);
  expect(entry.split('.TP')[0]).toContain(`Default: ${roff(text)}.\n`);
});
