import { defineConfig } from 'vitest/config';

// Three projects: what runs anywhere in seconds; what starts real peers (Postfix, Sendmail, Redis, a browser), file
// after file, so that they do not starve one another; and what boots whole machines, which test/boot/boot.sh prepares.
export default defineConfig({
  test: {
    // All cores: by default one of two would be left idle.
    maxWorkers: '100%',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          testTimeout: 30_000,
          // The default of a second is short on a busy machine.
          expect: { poll: { timeout: 15_000 } },
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.system.ts'],
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
          testTimeout: 240_000,
          hookTimeout: 240_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
    ],
  },
});
