/**
 * A language model of each family on a simulated device, against the states of transformers. The
 * attention is that of a GPU: no model may take the kernel whose memory is quadratic.
 */
import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadLanguageModel, readModelConfig } from '#src/lm/index.js';
import { scope, setInferenceMode, setNumThreads, type Tensor } from '#src/torch/index.js';
import { deviation, forward, readTensors, root } from '../lm/reference.js';
import { simulatedCuda, type SimulatedCuda } from './device.js';

const device = 'cuda:1';
/** Absolute or relative, as on the CPU: float32 sums in another order. */
const tolerance = 1e-4;

let cuda: SimulatedCuda;
beforeAll(async () => {
  cuda = await simulatedCuda();
  setInferenceMode(true);
  setNumThreads(1);
});

const folders = (of: string): string[] =>
  readdirSync(`${root}test/golden/${of}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${of}/${name}`);

describe.each([...folders('models'), ...folders('models-odd')])('%s on a device', (folder) => {
  // Who reads padded positions takes another way where there are windows.
  it.each([true, false])('agrees with transformers, padded queries: %s', async (paddedQueries) => {
    const model = await loadLanguageModel(`${root}test/golden/${folder}`, { device });
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
    const ids = expected.get('input_ids')!.to({ device });
    cuda.reset();
    const found = forward(model, ids, lengths, { paddedQueries });
    const counts = cuda.counts();
    // Each mixture of experts tells where its experts' tokens begin. Nothing else is brought back,
    // no weight is converted, and nothing else waits but lengths on their way.
    const config = await readModelConfig(`${root}test/golden/${folder}`);
    const { experts, deltaNet } = config;
    const reads = experts?.inBlock.filter(Boolean).length ?? 0;
    expect(counts).toMatchObject({
      ...{ copiesToHost: reads, waits: reads },
      ...{ hostConversions: 0, hostScalars: 0 },
    });
    expect(counts.attention['math'] ?? 0).toBe(0);
    // Soft caps, sinks, chunks, and windows of padded queries, are composed of products.
    const isComposed = (i: number): boolean =>
      config.attentionSoftcap !== null ||
      config.attentionSinks === true ||
      (config.attentionChunks?.[i] ?? Infinity) < ids.shape[1]! ||
      deltaNet?.inBlock[i] === true;
    if (!paddedQueries)
      expect((counts.attention['efficient'] ?? 0) > 0).toBe(
        !config.windows.every((_, i) => isComposed(i)),
      );
    const off: Record<string, number> = {};
    for (const [name, value] of found.states) {
      const wanted = expected.get(name);
      if (wanted !== undefined) off[name] = deviation(value.cpu(), wanted, found);
    }
    expect(Object.keys(off).length).toBeGreaterThan(0);
    expect(Object.fromEntries(Object.entries(off).filter(([, d]) => !(d <= tolerance)))).toEqual(
      {},
    );
    for (const tensor of [...found.states.values(), ...expected.values(), ids]) tensor.dispose();
    model.dispose();
    expect(cuda.counts().used).toEqual([0, 0]);
  });

  it.each(['bfloat16', 'float16'] as const)('runs in %s by FlashAttention', async (dtype) => {
    const model = await loadLanguageModel(`${root}test/golden/${folder}`, { device, dtype });
    const expected = await readTensors(`${root}test/golden/${folder}/expected.safetensors`);
    const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
    const ids = expected.get('input_ids')!.to({ device });
    cuda.reset();
    const found = forward(model, ids, lengths);
    const { attention } = cuda.counts();
    expect(attention['math'] ?? 0).toBe(0);
    expect(attention['efficient'] ?? 0).toBe(0);
    // Half precision through a few random blocks; the CPU is off as much. A token that rounding
    // sends to another expert is far off, so all are compared together.
    const off = scope(() => {
      const exact = expected.get('logits')!; // [B, T, V]
      const real = expected.get('attention_mask')!.to({ dtype: 'bool' });
      const size = (x: Tensor): number => x.square().mean([-1]).masked_select(real).mean().item();
      return Math.sqrt(size(found.states.get('logits')!.cpu().float().sub(exact)) / size(exact));
    });
    expect(off).toBeLessThan(dtype === 'bfloat16' ? 0.2 : 0.05);
    for (const tensor of [...found.states.values(), ...expected.values(), ids]) tensor.dispose();
    model.dispose();
  });
});
