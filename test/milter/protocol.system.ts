import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as protocol from '../../src/milter/protocol.ts';

// Every number of ours against the header files of libmilter, by the C name in its comment.

const HEADERS = ['/usr/include/libmilter/mfdef.h', '/usr/include/libmilter/mfapi.h'];

test('constants are those of libmilter', () => {
  if (!HEADERS.every((path) => existsSync(path))) {
    throw new Error(`${HEADERS.join(', ')}: install Debian's package libmilter-dev`);
  }
  const theirs = new Map<string, number>();
  for (const text of HEADERS.map((path) => readFileSync(path, 'latin1'))) {
    for (const [, name = '', value = ''] of text.matchAll(/^#\s*define\s+(SMFI\w+)\s+(\S+)/gm)) {
      theirs.set(
        name,
        value.startsWith("'") ? value.charCodeAt(1) : Number(value.replace('L', '')),
      );
    }
  }
  const source = readFileSync(new URL('../../src/milter/protocol.ts', import.meta.url), 'utf8');
  const groups = [protocol.command, protocol.reply, protocol.actionFlag, protocol.protocolFlag];
  let compared = 0;
  for (const [name, value] of groups.flatMap((group) => Object.entries(group))) {
    const hex = `0x0*${value.toString(16)}`;
    const cName = new RegExp(`\\b${name}: ${hex}, // (?:\\S )?(SMFI\\w+)`).exec(source)?.[1] ?? '';
    expect(theirs.get(cName), `${name} ${cName}`).toBe(value);
    compared++;
  }
  expect(compared).toBeGreaterThan(60);
  expect(protocol.SETSYMLIST).toBe(theirs.get('SMFIF_SETSYMLIST'));
  const stages = Object.values(protocol.macroStage).sort();
  const names = ['CONNECT', 'HELO', 'ENVFROM', 'ENVRCPT', 'DATA', 'EOM', 'EOH'];
  expect(stages).toEqual(names.map((name) => theirs.get(`SMFIM_${name}`)));
});
