import { describe, expect, it } from 'vitest';
import { evaluate } from '#src/compute/evaluate.js';
import type { EvaluationRequest, FloatDtype, SaeResult } from '#src/schema/index.js';
import { shipped } from '../golden/load.js';

const full = process.env['SAE_EVAL_TEST_FULL'] !== undefined;
const single = (kind: 'TopK' | 'Vanilla' | 'Gated' | 'JumpReLU', k?: number) => ({
  kind,
  checkpoint: shipped(`${kind}_tiny.pt`),
  layer: 16,
  ...(k === undefined ? {} : { k }),
});
const request: EvaluationRequest = {
  model: shipped('tiny-llama'),
  dataset: { path: shipped('eval'), seqLen: full ? 128 : 64, maxSamples: full ? 32 : 8 },
  saes: [
    single('TopK', 16),
    single('Vanilla'),
    single('Gated'),
    single('JumpReLU'),
    { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k: 16 },
    { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k: 16 },
    { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
    { kind: 'RandomK', checkpoint: shipped('TopK_tiny.pt'), k: 16 },
  ],
  metrics: ['NormMSE', 'KLDiv'],
  batchSize: 8,
  device: 'cpu',
};

const numbers = ({ reference, strict }: SaeResult): Record<string, number | null | undefined> => ({
  'reference NormMSE': reference?.NormMSE,
  'reference KLDiv': reference?.KLDiv,
  'strict NormMSE': strict?.NormMSE?.mean,
  'strict KLDivPerToken': strict?.KLDivPerToken?.mean,
});

describe('a language model in half precision', () => {
  it('gives NormMSE and KL within 1 % of float32', async () => {
    const at = async (dtype: FloatDtype): Promise<SaeResult[]> =>
      (await evaluate({ ...request, dtype })).results;
    const exact = await at('float32');
    for (const dtype of ['bfloat16', 'float16'] as const) {
      const rounded = await at(dtype);
      rounded.forEach((result, i) => {
        expect(result.error).toBeNull();
        for (const [name, value] of Object.entries(numbers(result))) {
          const wanted = numbers(exact[i]!)[name];
          if (typeof wanted !== 'number') expect(value).toBe(wanted);
          else
            expect(
              Math.abs(value! - wanted) / wanted,
              `${dtype} ${result.label} ${name}: ${value} and ${wanted}`,
            ).toBeLessThan(0.01);
        }
      });
    }
  }, 300_000);
});
