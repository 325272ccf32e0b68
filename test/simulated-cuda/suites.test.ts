/**
 * Suites of the project in processes whose default device is a simulated one: evaluations without a
 * `device` take it. A part where there is little time; with SAE_EVAL_TEST_FULL all golden numbers
 * and all of test/evaluation.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '#src/torch/setup/paths.js';
import { simulatedEnvironment } from './device.js';
import { full } from '../full.js';

interface Suite {
  name: string;
  args: string[];
  /** Tests that must have passed, at least. */
  least: number;
}

const part: Suite[] = [
  { name: 'golden numbers of positions', args: ['test/evaluation/positions.test.ts'], least: 10 },
];

const all: Suite[] = [
  { name: 'all golden numbers', args: ['test/evaluation/golden.test.ts'], least: 50 },
  {
    name: 'all evaluations',
    // Whether a run is limited by memory of the process, or of a device, is another question.
    args: ['test/evaluation', '--exclude', 'test/evaluation/golden.test.ts'],
    least: 200,
  },
  { name: 'models that are programs', args: ['test/lm/script-model.test.ts'], least: 5 },
];

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
}

describe('on a simulated device', () => {
  it.each(!full ? part : all)(
    '$name',
    async ({ args, least }) => {
      const vitest = join(packageRoot, 'node_modules/vitest/vitest.mjs');
      const env = await simulatedEnvironment({ bytes: 2 ** 33 });
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [vitest, 'run', '--reporter=json', ...args],
        {
          cwd: packageRoot,
          // The report of this run is another file.
          env: { ...env, SAE_EVAL_TEST_REPORT: undefined },
          encoding: 'utf8',
          maxBuffer: 2 ** 28,
        },
      );
      const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as Report;
      const failed = report.testResults
        .flatMap(({ assertionResults }) => assertionResults)
        .filter(({ status }) => status === 'failed')
        .map(({ fullName }) => fullName);
      expect(failed, stderr).toEqual([]);
      expect(report.numFailedTests).toBe(0);
      expect(report.numPassedTests).toBeGreaterThanOrEqual(least);
    },
    1_800_000,
  );
});
