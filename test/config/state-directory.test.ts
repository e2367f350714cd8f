import { expect, test } from 'vitest';
import { defaultStateDirectory } from '../../src/config/service-options.ts';

test.each([
  ['/etc/clickmilter/clickmilter.conf', '/var/lib/clickmilter'],
  ['/etc/clickmilter.conf', '/var/lib/clickmilter'],
  ['/etc/clickmilter/conf/clickmilter.conf', '/var/lib/clickmilter'],
  ['/etcetera/clickmilter.conf', '/etcetera/var'],
  ['/home/me/clickmilter/conf/clickmilter.conf', '/home/me/clickmilter/var'],
  ['/home/me/clickmilter.conf', '/home/me/var'],
  ['/srv/etc/clickmilter.conf', '/srv/etc/var'],
])('%s keeps its state in %s', (file, folder) => {
  expect(defaultStateDirectory(file)).toBe(folder);
});
