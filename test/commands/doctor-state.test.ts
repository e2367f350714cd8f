import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { examineState } from '../../src/commands/doctor-state.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';

test('a folder in the place of the keys is not a question of the user', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clickmilter-doctor-state-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  const said = complaints(await examineState(configurationOf(`state_directory = "${folder}"`)));
  expect(said).toEqual([`error: ${keys}: expected a file`]);
});
