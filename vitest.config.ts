import { defineConfig } from 'vitest/config';

/** Builds the program that the tests start. */
const BUILD = 'test/helpers/built-program.ts';

// Four projects: `unit` runs anywhere in seconds; `slow` runs anywhere, too, but takes hostile inputs, starts processes or
// waits for real time; `system` starts real peers (Postfix, Sendmail, Redis, a browser), file after file, so that they do
// not starve one another; `boot` boots whole machines, which test/boot/boot.sh prepares.
export default defineConfig({
  test: {
    // All cores: by default one of two would be left idle.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          // Importing the program again for each file takes as long as all tests.
          isolate: false,
          restoreMocks: true,
          testTimeout: 30_000,
          // The default of a second is short on a busy machine.
          expect: { poll: { timeout: 15_000 } },
        },
      },
      {
        test: {
          name: 'slow',
          include: ['test/**/*.slow.ts'],
          globalSetup: BUILD,
          testTimeout: 60_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.system.ts'],
          globalSetup: BUILD,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        test: {
          name: 'boot',
          include: ['test/boot/*.boot.ts'],
          fileParallelism: false,
          testTimeout: 480_000,
          hookTimeout: 480_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
    ],
  },
});
