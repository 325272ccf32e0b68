/** The output of `sae-eval inspect`. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderDescription } from '#src/inspect/render.js';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import { checkpointDescriptionSchema } from '#src/schema/index.js';
import { safetensorsOf } from '../hostile/checkpoint-files.js';
import { fixture } from '../checkpoint/fixtures/path.js';

it('says what a shipped checkpoint is and what must be given with it', async () => {
  const description = await describeCheckpoint(fixture('../../../checkpoints/RouteSAE_tiny.pt'));
  expect(description).toMatchObject({
    format: 'pt-zip',
    prefix: '',
    candidates: ['RouteSAE'],
    needs: ['k, 1…1024'],
    others: [],
    values: {},
  });
  expect(description.tensors.find(({ name }) => name === 'router.weight')).toEqual({
    name: 'router.weight',
    dtype: 'float32',
    shape: [9, 128],
  });
  const ambiguous = await describeCheckpoint(fixture('../../../checkpoints/TopK_tiny.pt'));
  expect(ambiguous.candidates).toEqual(
    expect.arrayContaining(['TopK', 'Vanilla', 'MLSAE', 'RandomK']),
  );
  expect(ambiguous.needs[0]).toBe('kind');
});

it('renders a training checkpoint as text', async () => {
  const text = renderDescription(await describeCheckpoint(fixture('nested.pt')));
  expect(text).toContain("pt-zip, names without 'model.'");
  expect(text).toMatch(/encoder\.weight +float32 +\[6, 4\]/);
  expect(text).toContain('epoch = 7');
  expect(text).toContain('beside it: loss');
  expect(text).toContain('optimizer.state.0.exp_avg');
});

it('prints names that would move the cursor as harmless text', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  try {
    writeFileSync(
      join(folder, 'file'),
      safetensorsOf({ 'a\u001b[2Jb': { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4),
    );
    const text = renderDescription(await describeCheckpoint(join(folder, 'file')));
    expect(text).not.toContain('\u001b');
    expect(text).toContain('can be: none of the kinds');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const layout = (name: string): string => fixture(`../../sae/formats/fixtures/${name}`);

it.each([
  [
    'saelens-standard-layer-norm',
    [
      'layout of: saelens',
      'hook point: blocks.3.hook_resid_pre, layer 3',
      'input: layer-norm: (h − mean) / (std + 0.00001)',
      'activation: relu',
      'sizes: d = 6, m = 10',
      'can be: Vanilla',
    ],
  ],
  [
    'saelens-standard-scale',
    [
      'input: scale: not in the file; decoder bias subtracted',
      'must be given with it: scale: normalize_activations is expected_average_only_in',
    ],
  ],
  [
    'saelens-topk-rescaled',
    [
      'activation: topk, k = 3, then relu; latents times the norms of their decoder rows',
      'can be: TopK, RandomK',
    ],
  ],
  [
    'gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71',
    [
      'layout of: gemma-scope',
      'layer 21',
      'input: none (raw activations)',
      "activation: jumprelu, threshold 'threshold'",
    ],
  ],
  ['llama-scope', ['input: scale: h · 0.20412415', 'activation: jumprelu, threshold 0.10206207']],
  ['llama-scope-norms', ['must be given with it: scale: norm_activation is dataset-wise']],
  ['sparsify/signed/layers.1', ['activation: topk, k = 3 of the largest magnitude']],
  [
    'dictionary_learning-BatchTopKSAE-unset',
    ['must be given with it: theta: the threshold of this BatchTopK is below 0'],
  ],
  [
    'dictionary_learning-submodule',
    ['hook point: blocks.4.hook_mlp_out, layer 5\n', 'can be: TopK, RandomK\n'],
  ],
  [
    'openai-topk/0.pt',
    ['hook point: not named', 'must be given with it: layer', 'input: layer-norm'],
  ],
  ['mlsae', ['can be: MLSAE, TopK, RandomK']],
  [
    'crosscoder',
    [
      'layout of: crosscoder',
      'can be: Crosscoder',
      'a list of 2 numbers, one for each model',
      'cannot be evaluated: a crosscoder between 2 models',
    ],
  ],
  [
    'openmoss-crosscoder',
    [
      'hook point: blocks.2.hook_resid_post, blocks.3.hook_resid_post, ' +
        'blocks.5.hook_resid_post, layers 3, 4, 6',
      'chosen by the norms of decoder rows',
    ],
  ],
])('says of %s what must be known', async (name, texts) => {
  const description = await describeCheckpoint(layout(name));
  expect(checkpointDescriptionSchema.parse(description)).toEqual(description);
  const text = renderDescription(description);
  for (const expected of texts) expect(text).toContain(expected);
});

it('takes layer and k from the name of a bare state dict', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  try {
    const path = join(folder, 'TopK_L12_K64.pt');
    copyFileSync(fixture('../../../checkpoints/TopK_tiny.pt'), path);
    const description = await describeCheckpoint(path);
    expect(description).toMatchObject({
      named: { layer: 12, k: 64 },
      needs: ['kind'],
      mustGive: { TopK: ['kind'] },
    });
    expect(renderDescription(description)).toContain(
      'from its name, if a request leaves it out: layer 12, k 64',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
