import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test.each([
  ['ioredis', 'false'],
  ['./src/store/redis/client.ts', 'true'],
])('String.prototype is fast after loading %s: %s', (module, fast) => {
  const script = `await import('${module}'); console.log(%HasFastProperties(String.prototype))`;
  const args = ['--allow-natives-syntax', '--import', 'tsx', '--input-type=module', '-e', script];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()).toBe(fast);
});
