import { defineConfig } from 'vitest/config';

// Tests import the built package (`#src/…`, `#server/…` in package.json), so that what is tested is what is shipped.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    server: { deps: { external: [/\/dist\//] } },
    reporters: ['default'],
  },
});
