import { defineConfig } from 'vitest/config';

const mocked = '**/*.mocked.test.ts';

export default defineConfig({
  resolve: { conditions: ['tokenfuse-source'] },
  ssr: { resolve: { conditions: ['tokenfuse-source'] } },
  test: {
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
          exclude: [mocked],
          isolate: false,
        },
      },
      // Files that put something else in a module's place have modules of their own.
      { extends: true, test: { name: 'mocked', include: [`test/${mocked}`] } },
    ],
  },
});
