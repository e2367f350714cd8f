import { expect, test } from 'vitest';
import { momentumOptions, momentumStanzas } from '../../src/config/momentum-names.ts';
import { stanzas } from '../../src/config/stanzas.ts';

const ours = (id: string) => Object.keys(stanzas.find((stanza) => stanza.id === id)?.options ?? {});

test('no tracking option of ours is taken for one without meaning', () => {
  const tracking = ['esmtp_listener', 'listen', 'peer', 'pathway', 'pathway_group'].flatMap(ours);
  expect(tracking.filter((name) => momentumOptions.has(name))).toEqual([]);
  expect(stanzas.filter(({ name }) => momentumStanzas.has(name.toLowerCase()))).toEqual([]);
});
