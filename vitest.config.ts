import { defineConfig } from 'vitest/config';

/** Files that need modules of their own: they replace some, register in them, or count what an engine holds. */
const isolated = ['test/**/*.isolated.test.ts', 'test/engine/**/*.test.ts'];

export default defineConfig({
  resolve: { conditions: ['tokenfuse-source'] },
  ssr: { resolve: { conditions: ['tokenfuse-source'] } },
  test: {
    globalSetup: './test/support/temporaryRoot.ts',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        // Files share the modules of their process: loading them anew for each took a fifth of the time.
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
          exclude: isolated,
          isolate: false,
        },
      },
      { extends: true, test: { name: 'isolated', include: isolated } },
    ],
  },
});
