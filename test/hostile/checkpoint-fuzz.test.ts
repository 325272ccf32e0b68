/**
 * Every header parser against mutated files: 300 each, with their tensors opened; 10,000 each in a
 * child by SAE_EVAL_TEST_FULL.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTensors } from '#src/checkpoint/tensors.js';
import { scope } from '#src/torch/index.js';
import { readMutations, seeds, type Parser } from './checkpoint-mutations.js';
import { full } from '../full.js';

const count = full ? 10_000 : 300;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

// Each test file runs in a child process of its own, so that a crash would be seen as one and the
// peak is this file's.
it.each(Object.keys(seeds) as Parser[])(
  `%s: ${count} mutations`,
  async (parser) => {
    const { read, refused, slowestMs } = await readMutations(parser, {
      count,
      path: join(folder, 'file'),
      seed: 20_260_701,
      open: (checkpoint) =>
        scope(() => {
          for (const tensor of openTensors(checkpoint).values())
            if (tensor.numel > 0) tensor.to({ dtype: 'float64' }).sum().item();
        }),
    });
    const refusals = Object.entries(refused)
      .map(([code, times]) => `${code} ${times}`)
      .join(', ');
    console.log(
      `${parser}: ${read} read, ${refusals}; slowest ${slowestMs.toFixed(1)} ms; peak ` +
        `memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
    );
    expect(read + Object.values(refused).reduce((sum, times) => sum + times, 0)).toBe(count);
  },
  600_000,
);
