import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { type Stanza, stanzaLines } from '../../src/config/stanza.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-write-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string): Stanza {
  const file = join(folder, 'test.conf');
  writeFileSync(file, text);
  const { root, problems } = loadConfig(file);
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  return root;
}

/** What a stanza holds, whatever its place. */
function contents({ definition, label, settings, children }: Stanza): object {
  return {
    ...{ id: definition.id, label, children: [...children].map(contents) },
    settings: new Map([...settings].map(([name, { value }]) => [name, value])),
  };
}

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;

const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'\\"\'#/={}[](), a*') }),
  )
  .map((each) => each.replaceAll('\n', ''));
const name = text.filter((each) => each.trim() !== '');
const url = text.map((each) => each.replaceAll(/\s/g, '')).filter((each) => each !== '');

test('what is shown is read as it was', () => {
  const configuration = fc.record({
    label: name,
    pathway: name,
    urls: fc.array(url, { maxLength: 4 }),
    context: fc.array(fc.tuple(text, text), { maxLength: 4 }),
    mode: fc.nat(0o777),
  });
  fc.assert(
    fc.property(configuration, ({ label, pathway, urls, context, mode }) => {
      const entries = context.map(([key, value]) => `${quoted(`x${key}`)} = ${quoted(value)}`);
      const read = load(`
        ESMTP_Listener ${quoted(label)} {
          pathway = ${quoted(pathway)}
          exclude_urls = ( ${urls.map(quoted).join(' ')} )
          context = [ ${entries.join(' ')} ]
        }
        Milter_Listener { Listen "/m" { file_mode = 0${mode.toString(8).padStart(3, '0')} } }`);
      const shown = stanzaLines(read, { secrets: true }).join('\n');
      expect(contents(load(shown))).toEqual(contents(read));
    }),
    { numRuns: 150 },
  );
});
