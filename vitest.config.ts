import { defineConfig } from 'vitest/config';

const report = process.env['SAE_EVAL_TEST_REPORT'];

// Tests import the built package (`#src/…`, `#server/…` in package.json): the code that is shipped.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Two files at a time: many wait for servers and other processes. More would only wait for
    // each other's cores.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    server: { deps: { external: [/\/dist\//] } },
    // A continuous integration run asks for the counts in a file too.
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
