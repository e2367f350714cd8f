import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeValue } from '../../src/config/write-value.ts';
import { configurationOf } from '../helpers/configuration.ts';

const text = fc
  .oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'\\"\'#/={}[]() a') }))
  .filter((each) => !each.includes('\n'));

test('what is written is read as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (entries) => {
      const map = new Map(entries.map(([name, value]) => [`x${name.toLowerCase()}`, value]));
      const { scopes } = configurationOf(`ESMTP_Listener { context = ${writeValue(map)} }`);
      expect(scopes.match({}).options.context).toEqual(map);
    }),
    { numRuns: 300 },
  );
});
