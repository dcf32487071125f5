import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['tokenfuse-source'] },
  ssr: { resolve: { conditions: ['tokenfuse-source'] } },
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
