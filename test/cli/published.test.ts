/** Published SAEs on the command line: exit codes and what stands on stderr. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import { root, shipped } from '../golden/load.js';

let folder: string;
const published = (name: string): string => `${root}test/evaluation/fixtures/published/${name}`;
const cli = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [`${root}dist/src/cli/main.js`, ...args], {
    encoding: 'utf8',
    cwd: folder,
  });
function evaluate(saes: EvaluationRequest['saes'], ...flags: string[]): ReturnType<typeof cli> {
  const path = join(folder, 'request.json');
  writeFileSync(
    path,
    JSON.stringify({
      model: shipped('tiny-llama'),
      dataset: { path: shipped('eval'), seqLen: 32, maxSamples: 8 },
      saes,
    }),
  );
  return cli('evaluate', path, ...flags);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('ends with 2 and one line for each field', () => {
  const { status, stdout, stderr } = evaluate([
    { checkpoint: published('saelens-scale') },
    { checkpoint: published('saelens-topk'), kind: 'Gated' },
    { checkpoint: published('saelens-gated'), layer: 8 },
  ]);
  expect(status).toBe(2);
  expect(stdout).toBe('');
  const lines = stderr.trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^sae-eval: saes\[0\]\.scale: .*norm_scaling_factor/);
  expect(lines[1]).toMatch(/^sae-eval: saes\[1\]\.kind: .*TopK or RandomK, not as Gated/);
  expect(lines[2]).toMatch(/^sae-eval: saes\[2\]\.layer: .*layer 7 here.*found 8: leave layer out/);
});

it('evaluates, and the report says what each SAE is and that their errors do not compare', () => {
  const out = join(folder, 'out');
  expect(
    evaluate(
      [{ checkpoint: published('saelens-standard') }, { checkpoint: published('saelens-gated') }],
      '--out',
      out,
    ),
  ).toMatchObject({ status: 0 });
  const result = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as EvaluationResult;
  expect(result.results).toMatchObject([
    { kind: 'Vanilla', normalization: 'layer-norm' },
    { kind: 'Gated', normalization: 'none' },
  ]);
  expect(result.findings.map(({ code }) => code)).toContain('input-spaces-differ');
  expect(readFileSync(join(out, 'report.md'), 'utf8')).toMatch(
    /saelens, blocks\.7\.hook\\?_resid\\?_pre, none/,
  );
});
