/** Mixtures of experts: how they are computed and counted. Their numbers: families.test.ts. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { hookIn, misplaced } from '#src/evaluation/request/misplaced.js';
import { MixtureOfExperts, type Routes } from '#src/lm/experts.js';
import { familyOf } from '#src/lm/families/index.js';
import { forwardCost, loadLanguageModel, readModelConfig } from '#src/lm/index.js';
import { JsonFields } from '#src/lm/json-fields.js';
import type { Layer } from '#src/lm/layers.js';
import { modelSize, WeightFiles } from '#src/lm/weight-files.js';
import { scope, setInferenceMode, tensor, type Tensor } from '#src/torch/index.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from './reference.js';

beforeAll(() => setInferenceMode(true));

const folder = (name: string): string => `${root}test/golden/models-odd/${name}`;

/** Expert that multiplies by a number and keeps the numbers of tokens that it was given. */
class Factor implements Layer {
  readonly given: number[] = [];

  constructor(private readonly factor: number) {}

  forward(x: Tensor): Tensor {
    this.given.push(x.shape[0]!);
    return x.mul(this.factor);
  }
}

describe('a mixture', () => {
  const routes = (): Routes => ({
    weights: tensor([0.5, 0.25, 1, 2, 3, 4]).view([3, 2]),
    experts: tensor([3, 0, 0, 1, 1, 3]).view([3, 2]).to({ dtype: 'int64' }),
  });

  it('calls each expert once for all of its tokens, and none without tokens', () => {
    scope(() => {
      const experts = [10, 100, 1000, 10_000].map((factor) => new Factor(factor));
      const mixture = new MixtureOfExperts({ router: routes, experts, shared: null });
      const x = tensor([1, 1, 2, 2, 3, 3]).view([1, 3, 2]);
      // 1 · (0.5 · 10,000 + 0.25 · 10), 2 · (10 + 2 · 100), 3 · (3 · 100 + 4 · 10,000)
      const expected = [5002.5, 420, 120_900].flatMap((value) => [value, value]);
      expect(mixture.forward(x).flatten().toArray()).toEqual(expected);
      expect(experts.map(({ given }) => given)).toEqual([[2], [2], [], [2]]);
      return null;
    });
  });

  it('adds the expert that all tokens go to, through its gate', () => {
    scope(() => {
      const experts = [0, 0, 0, 0].map((factor) => new Factor(factor));
      const gate: Layer = { forward: (x) => x.narrow(-1, 0, 1).mul(0) }; // a weight of 1/2
      const shared = { mlp: new Factor(4), gate };
      const mixture = new MixtureOfExperts({ router: routes, experts, shared });
      const x = tensor([1, 5, 2, 6, 3, 7]).view([1, 3, 2]);
      expect(mixture.forward(x).flatten().toArray()).toEqual([2, 10, 4, 12, 6, 14]);
      return null;
    });
  });
});

it('neurons are refused where the MLP is a mixture, and found where it is dense', async () => {
  const model = await readModelConfig(folder('qwen3-moe-dense')); // block 2 of 4 is a mixture
  const refusal = (name: string): string =>
    misplaced(name, hookIn(model, name), { model, speaker: 'hook' })?.message ?? '';
  expect(refusal('blocks.1.mlp.hook_post')).toMatch(/mixture of experts/);
  expect(refusal('blocks.1.hook_mlp_out')).toBe('');
  expect(refusal('blocks.2.mlp.hook_post')).toBe('');
});

describe('MXFP4', () => {
  it('is widened on loading, and counted by what it becomes', async () => {
    const path = folder('gpt-oss-mxfp4');
    const config = await readModelConfig(path);
    const size = modelSize(await WeightFiles.read(path), config, 'bfloat16');
    const model = await loadLanguageModel(path, { dtype: 'bfloat16' });
    expect(size).toMatchObject({ parameters: model.parameters, bytes: model.weightBytes });
    model.dispose();
    const { blocks } = await forwardCost(config, 4);
    const [d, m, E] = [32, 64, 3];
    // projections and scores of 4 heads of 6, the router, and one expert
    const dense = d * (24 + 12 + 12) + 24 * d + 2 * 2.5 * 24 + d * E;
    expect(blocks).toEqual([1, 2, 3].map(() => dense + 3 * d * m));
  });

  it.each([
    ['another method', { quant_method: 'gptq' }, /quantization_config.* or mxfp4; .*gptq/],
    ['no method', {}, /quantization_config/],
  ])('%s is refused', (_, quantization, message) => {
    const fields = JsonFields.from(
      { model_type: 'gpt_oss', quantization_config: quantization },
      'config.json',
    );
    expect(() => familyOf(fields)).toThrow(message);
  });

  it('whose blocks do not fit the sizes is refused', async () => {
    const path = mkdtempSync(join(tmpdir(), 'mxfp4-'));
    const source = folder('gpt-oss-mxfp4');
    symlinkSync(`${source}/model.safetensors`, join(path, 'model.safetensors'));
    const config = JSON.parse(readFileSync(`${source}/config.json`, 'utf8')) as object;
    for (const intermediate_size of [48, 63]) {
      writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, intermediate_size }));
      await expect(loadLanguageModel(path)).rejects.toMatchObject({ code: 'checkpoint-shape' });
    }
    rmSync(path, { recursive: true });
  });
});

describe('the counts', () => {
  it.each(['qwen3-moe', 'qwen3-moe-dense', 'qwen2-moe', 'mixtral', 'olmoe-clipped', 'gpt-oss'])(
    '%s: all experts in bytes, the chosen ones in multiply-adds',
    async (name) => {
      const config = await readModelConfig(folder(name));
      const { entries } = await readCheckpoint(`${folder(name)}/model.safetensors`);
      const numbers = (of: (key: string) => boolean, least = 1): number =>
        [...entries]
          .filter(([key, { shape }]) => of(key) && shape.length >= least)
          .reduce((sum, [, { shape }]) => sum + shape.reduce((product, n) => product * n, 1), 0);
      const all = numbers(() => true);
      const size = modelSize(await WeightFiles.read(folder(name)), config, 'bfloat16');
      expect(size).toMatchObject({ parameters: all, bytes: 2 * all });
      const model = await loadLanguageModel(folder(name));
      expect(model.parameters).toBe(all);
      model.dispose();

      const T = 4;
      const { blocks } = await forwardCost(config, T);
      const { count, perToken } = config.experts!;
      blocks.forEach((macs, i) => {
        const inBlock = (key: string): boolean => key.includes(`layers.${i}.`);
        const isExpert = (key: string): boolean =>
          inBlock(key) && /experts\..*(?<!bias)$/.test(key);
        const dense = numbers((key) => inBlock(key) && !isExpert(key) && !/bias$/.test(key), 2);
        const window = config.windows[i] ?? T;
        const keys = window >= T ? (T + 1) / 2 : NaN;
        const attention = 2 * keys * config.heads * config.headDim;
        expect(macs).toBeCloseTo(dense + (numbers(isExpert) * perToken) / count + attention, 6);
      });
    },
  );
});
