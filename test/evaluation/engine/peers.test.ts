/**
 * Sums of other tools' numbers do not depend on how much is computed at once: the mean of a batch
 * is that of all its tokens, and no tensor is left behind. Micro-batches of other sizes may change
 * the last bits of float32 passes: below 1e-5 of the largest sum.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '#src/evaluation/engine/engine.js';
import { strategyFor } from '#src/evaluation/engine/strategies/index.js';
import { peerRuns } from '#src/evaluation/peers.js';
import { loadLanguageModel, loadTokenizer, type LanguageModel } from '#src/lm/index.js';
import type { Accumulator } from '#src/metrics/accumulator.js';
import { loadSAE, type SAE } from '#src/sae/index.js';
import { memory, setInferenceMode } from '#src/torch/index.js';
import { golden } from '../../golden/load.js';

const T = 8;
const samples = [3, 20, 31, 44, 52].map((first, index) => ({
  ids: Int32Array.from({ length: T }, (_, t) => (t === 0 ? 1 : first + t)),
  length: T - (index % 3),
  truncated: 0,
}));

let model: LanguageModel;
let saes: SAE[];
beforeAll(async () => {
  setInferenceMode(true);
  model = await loadLanguageModel(golden('peers/gpt2'));
  saes = [await loadSAE(golden('peers/saes/topk')), await loadSAE(golden('peers/saes/gated'))];
});
afterAll(() => {
  for (const sae of saes) sae.dispose();
  model.dispose();
});

async function sumsOf(sequences: number, lanes?: number): Promise<Accumulator> {
  const tokenizer = await loadTokenizer(golden('peers/gpt2'));
  const peers = peerRuns({ protocol: ['saelens', 'saelens@6.44', 'saebench'] }, tokenizer);
  const wanted = { protocols: new Set(['strict'] as const), splice: true, zero: true, peers };
  const place = { layer: 2, layers: [2], L: model.layers, saeDtype: 'float32' as const, wanted };
  const strategies = saes.map((sae, index) =>
    strategyFor(sae, { ...place, variants: [{ owner: `${index}.0`, sparsity: null }] }),
  );
  const microBatch = { sequences, lanesPerCall: 8, logits: 50_000 };
  const engine = new Engine({
    model,
    strategies,
    wanted,
    saeDtype: 'float32',
    microBatch: lanes === undefined ? microBatch : { ...microBatch, lanes },
  });
  try {
    return await engine.batch(samples, { first: 0 });
  } finally {
    engine.dispose();
  }
}

const vectors = ['inputSum', 'firing', 'encoderCosine', 'decoderCosine'].flatMap((name) =>
  ['0.0', '1.0'].map((owner) => `${owner}|saebench@0.6|${name}`),
);

it.each([
  [1, undefined],
  [2, undefined],
  [3, 1],
])('micro-batches of %s sequences, lanes at once: %s', async (sequences, lanes) => {
  const whole = await sumsOf(8);
  const before = memory().handles;
  const parts = await sumsOf(sequences, lanes);
  expect(memory().handles).toBe(before);
  expect(parts.columnNames.toSorted()).toEqual(whole.columnNames.toSorted());
  expect(whole.columnNames).toContain('1.0|saelens@6.44|0|legacy');
  const close = (a: Float64Array, b: Float64Array, name: string): void => {
    const size = Math.max(...b.map(Math.abs));
    expect(a, name).toHaveLength(b.length);
    for (const [i, value] of a.entries())
      expect(Math.abs(value - b[i]!), name).toBeLessThanOrEqual(1e-5 * size);
  };
  // Padded positions that reference would count are only those that were computed.
  const compared = whole.columnNames.filter((name) => !name.startsWith('clean|reference'));
  for (const name of compared) close(parts.column(name)!, whole.column(name)!, name);
  for (const name of vectors) close(parts.vector(name)!, whole.vector(name)!, name);
});
