/** Linear attention: its groups and costs. Its numbers: families.test.ts. */
import { BatchContext } from '#src/lm/batch-context.js';
import { GatedDeltaNet, type DeltaNetInputs } from '#src/lm/gated-delta-net.js';
import { forwardCost, loadLanguageModel, readModelConfig } from '#src/lm/index.js';
import { RopeTables } from '#src/lm/rope.js';
import { modelSize, WeightFiles } from '#src/lm/weight-files.js';
import { Generator, ops, scope, setInferenceMode, type Tensor } from '#src/torch/index.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { deviations, readTensors, root } from './reference.js';

beforeAll(() => setInferenceMode(true));

const folder = (name: string): string => `${root}test/golden/models-odd/${name}`;

const sizes = { keyHeads: 2, keyDim: 6, valueHeads: 4, valueDim: 5, kernel: 4, inBlock: [true] };

describe('a gated delta net', () => {
  it('computes sequences in groups that do not meet', () => {
    const { keyHeads, keyDim, valueHeads, valueDim, kernel } = sizes;
    const channels = 2 * keyHeads * keyDim + valueHeads * valueDim;
    const [rows, T] = [5, 66];
    scope(() => {
      const generator = new Generator().manualSeed(3);
      const random = (...sizes: number[]): Tensor => ops.randn(sizes, { generator });
      const inputs: DeltaNetInputs = {
        qkv: random(rows, T, channels),
        z: random(rows, T, valueHeads, valueDim),
        b: random(rows, T, valueHeads),
        a: random(rows, T, valueHeads),
      };
      const weights = {
        convolution: random(kernel, channels),
        decayRate: random(valueHeads).abs().neg(),
        decayBias: random(valueHeads),
        norm: random(valueDim),
        out: { forward: (x: Tensor) => x },
      };
      const net = (from: number, count: number): GatedDeltaNet =>
        new GatedDeltaNet(
          {
            ...weights,
            project: () => ({
              qkv: inputs.qkv.narrow(0, from, count),
              z: inputs.z.narrow(0, from, count),
              b: inputs.b.narrow(0, from, count),
              a: inputs.a.narrow(0, from, count),
            }),
          },
          // Room for two of the sequences.
          { ...sizes, activation: 'silu', normEps: 1e-6, groupBytes: 720_000 },
        );
      const context = (B: number): BatchContext =>
        new BatchContext({
          lengths: Array.from({ length: B }, () => T),
          ...{ T, seqLen: T, device: 'cpu', dtype: 'float32' },
          ropes: new RopeTables([], { device: 'cpu', dtype: 'float32' }),
        });
      const x = ops.zeros([rows, T, 1]);
      const together = net(0, rows).forward(x, context(rows)); // [5, T, …]: three groups
      for (const row of [0, rows - 1]) {
        const alone = net(row, 1).forward(x.narrow(0, row, 1), context(1));
        const off = together.narrow(0, row, 1).sub(alone).abs().max().item();
        expect(off).toBeLessThan(1e-4);
      }
      return null;
    });
  });

  it.each(['qwen3_5', 'qwen3_5-multimodal', 'qwen3-next-steps'])(
    '%s: agrees with transformers at padded positions too',
    async (name) => {
      const model = await loadLanguageModel(folder(name));
      const expected = await readTensors(`${folder(name)}/expected.safetensors`);
      const found = deviations(model, expected, { padding: true });
      expect(Math.max(...Object.values(found))).toBeLessThan(1e-4);
      for (const tensor of expected.values()) tensor.dispose();
      model.dispose();
    },
  );

  it('is counted by its state, and by its own weights alone in a multimodal file', async () => {
    const config = await readModelConfig(folder('qwen3_5-multimodal'));
    expect(config.deltaNet!.inBlock).toEqual([true, true, false, true]);
    const [d, m, T] = [16, 20, 10];
    const mlp = 3 * d * m;
    // q, k (3 heads of 6), v (3 of 5), the gate, two for each head of values, and the output
    const linear = d * (36 + 15 + 15 + 6) + 15 * d + 3 * 3 * 6 * 5;
    // queries with their gates (4 heads of 8), keys and values (2), the output, the scores
    const full = d * (64 + 32) + 32 * d + 2 * ((T + 1) / 2) * 32;
    const { blocks } = await forwardCost(config, T);
    expect(blocks).toEqual([linear, linear, full, linear].map((macs) => macs + mlp));
    const model = await loadLanguageModel(folder('qwen3_5-multimodal'));
    const { parameters } = modelSize(await WeightFiles.read(config.path), config, 'float32');
    expect(parameters).toBe(model.parameters);
    model.dispose();
  });
});
