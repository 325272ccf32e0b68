import { defineConfig } from 'vitest/config';

const report = process.env['SAE_EVAL_TEST_REPORT'];

/**
 * Folders of tests that compute and read files in their own process. Half of the time of a small
 * file goes into starting a process, importing the package and loading libtorch: these files share
 * processes. test/leaves-nothing.ts checks that none leaves settings of the process or
 * tensors behind.
 */
const sharing = [
  'checkpoint',
  'data',
  'evaluation',
  'files',
  'findings',
  'lm',
  'metrics',
  'report',
  'sae',
  'schema',
  'statistics',
  'summary',
];

/**
 * Files of these folders that measure the memory of their process, replace its functions, or start
 * from a process without libtorch.
 */
const alone = [
  'test/data/samples.test.ts',
  'test/evaluation/engine/collector.test.ts',
  'test/evaluation/larger-than-memory.test.ts',
  'test/evaluation/run/fits.test.ts',
  'test/lm/config-keys.test.ts',
];

const shared = sharing.map((folder) => `test/${folder}/**/*.test.ts`);

// Tests import the built package (`#src/…`, `#server/…` in package.json): the code that is shipped.
export default defineConfig({
  test: {
    pool: 'forks',
    // Two files at a time: many wait for servers and other processes. More would only wait for
    // each other's cores.
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // A page on a busy machine answers late; a second, the default, failed once.
    expect: { poll: { timeout: 20_000 } },
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: [`test/!(${sharing.join('|')})/**/*.test.ts`, 'test/*.test.ts', ...alone],
        },
      },
      {
        extends: true,
        test: {
          name: 'shared',
          include: shared,
          exclude: alone,
          isolate: false,
          setupFiles: ['test/leaves-nothing.ts'],
        },
      },
    ],
    // A continuous integration run asks for the counts in a file too.
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
