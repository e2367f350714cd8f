import { expect, test } from 'vitest';
import { configPage } from '../../src/commands/manual-config-page.ts';
import { roff } from '../../src/commands/roff.ts';
import { stanzas } from '../../src/config/options.ts';

test('the manual page explains every stanza and every option there is', () => {
  const page = configPage('1.2.3', '2026-11-23');
  for (const stanza of stanzas) {
    if (stanza.id !== 'global') expect(page).toContain(`.SS "${roff(stanza.name)}`);
    for (const name of Object.keys(stanza.options)) expect(page).toContain(`\\fB${roff(name)}\\fR`);
  }
});
