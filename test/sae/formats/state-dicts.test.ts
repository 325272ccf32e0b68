/**
 * Checkpoints of training scripts, and plain SAEs (test/golden/state-dicts/make.py): found wherever
 * they lie, and computed as PyTorch does.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { SaeEvalError } from '#src/errors.js';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import { renderDescription } from '#src/inspect/render.js';
import type { LoadSaeOptions } from '#src/sae/index.js';
import { describeSAE } from '#src/sae/load.js';
import { memory } from '#src/torch/index.js';
import { expectReconstruction } from './computes.js';

const file = (name: string): string =>
  fileURLToPath(new URL(`../../golden/state-dicts/${name}`, import.meta.url));

const expected = JSON.parse(readFileSync(file('expected.json'), 'utf8')) as {
  h: number[][];
  files: Record<string, { given: LoadSaeOptions; reconstruction: number[][] }>;
};

describe.each(Object.entries(expected.files))('%s', (name, { given, reconstruction }) => {
  it('gives the reconstruction of PyTorch', async () => {
    const before = memory().handles;
    await expectReconstruction(file(name), given, { h: expected.h, reconstruction });
    expect(memory().handles).toBe(before);
  });
});

const problemOf = async (name: string, given: LoadSaeOptions = {}): Promise<SaeEvalError> => {
  const error: unknown = await describeSAE(file(name), given).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SaeEvalError);
  return error as SaeEvalError;
};

describe('refused by name', () => {
  const topK = { kind: 'TopK', k: 3 } as const;
  const vanilla = { kind: 'Vanilla' } as const;
  it.each<[string, LoadSaeOptions, string, RegExp]>([
    [
      'bad-parametrized.pt',
      topK,
      'checkpoint-shape',
      /'decoder.weight'.*a parametrization computes/,
    ],
    ['bad-spectral.pt', topK, 'checkpoint-shape', /'encoder.weight'.*remove_parametrizations/],
    ['bad-pruned.pt', topK, 'checkpoint-shape', /'encoder.weight'.*pruning computes/],
    ['bad-sparse.pt', topK, 'checkpoint-shape', /'encoder.weight'.*sparse tensor/],
    ['bad-quantized.pt', topK, 'checkpoint-shape', /'encoder.weight'.*quantized tensor/],
    ['bad-integers.pt', topK, 'checkpoint-shape', /'encoder.weight' in float32.*found int32/],
    ['bad-negated.pt', topK, 'checkpoint-shape', /'latent_bias'.*neg bit/],
    ['bad-gate.pt', topK, 'checkpoint-keys', /'b_gate'/],
    ['bad-threshold.pt', topK, 'checkpoint-keys', /'log_threshold'/],
    ['bad-numpy.pt', topK, 'checkpoint-forbidden', /numpy.*Nothing was run/],
    ['bad-module-beside-tensors.pt', topK, 'checkpoint-module', /SAE.*state_dict\(\)/],
    ['bad-custom-holds-it.pt', topK, 'checkpoint-forbidden', /Custom.*Nothing was run/],
    ['bad-two.pt', topK, 'sae-option', /2 SAEs.*'model\.', 'ema\.'.*`prefix`/],
    ['two.safetensors', { ...topK, prefix: 'c' }, 'sae-option', /one of 'a\.', 'b\.module\.'.*'c'/],
    ['averaged.pt', { ...topK, prefix: 'ema' }, 'sae-option', /expected 'module\.', found 'ema'/],
    ['bad-unset-threshold.pt', { kind: 'JumpReLU' }, 'checkpoint-format', /never set/],
    ['bad-running-mean.pt', vanilla, 'checkpoint-keys', /'running_mean'/],
    ['bad-two-biases.pt', vanilla, 'checkpoint-keys', /'decoder.bias' and 'b_dec'/],
    ['bad-no-decoder.pt', vanilla, 'checkpoint-keys', /decoder/],
    ['plain_layer_3.pt', {}, 'sae-kind', /Vanilla or TopK or MLSAE or RandomK; set `kind`/],
    ['plain_layer_3.pt', { kind: 'Gated' }, 'sae-kind', /not Gated/],
    ['plain-topk.pt', { kind: 'TopK' }, 'sae-option', /k/],
    ['plain-no-decoder-bias.pt', { ...vanilla, preBias: true }, 'sae-option', /no decoder bias/],
    [
      'plain-layer-norm.pt',
      { ...vanilla, normalization: 'layer-norm', scale: 2 },
      'sae-option',
      /scale/,
    ],
  ])('%s with %o', async (name, given, code, says) => {
    expect(await problemOf(name, given)).toMatchObject({
      code,
      message: expect.stringMatching(says),
    });
  });

  it('a published file says how its input is made', async () => {
    const saelens = fileURLToPath(new URL('fixtures/saelens-standard', import.meta.url));
    expect(await describeSAE(saelens, { normalization: 'none', preBias: true })).toMatchObject({
      normalization: { kind: 'none' },
    });
    for (const [given, says] of [
      [{ normalization: 'pre' }, /normalization: the file says none, the request pre/],
      [{ preBias: false }, /preBias: the file says that its decoder bias is subtracted/],
    ] as const)
      await expect(describeSAE(saelens, given)).rejects.toThrow(says);
  });
});

describe('notes', () => {
  const notesOf = async (name: string, given: LoadSaeOptions): Promise<string> =>
    (await describeSAE(file(name), given)).notes.map(({ en }) => en).join('\n');

  it('say what a plain file left open', async () => {
    const open = await notesOf('plain_layer_3.pt', { kind: 'Vanilla' });
    expect(open).toMatch(/raw activations.*'decoder.bias' not subtracted/);
    expect(open).toContain('layer 4');
    expect(await notesOf('plain-matrices.pt', { kind: 'Vanilla' })).toMatch(/'b_dec' subtracted/);
    const said = { kind: 'Vanilla', normalization: 'none', preBias: false, layer: 1 } as const;
    expect(await notesOf('plain_layer_3.pt', said)).toBe('');
  });

  it('name tensors that nobody knows, and no counters', async () => {
    const given = { kind: 'TopK', k: 3 } as const;
    expect(await notesOf('beside.safetensors', given)).toBe(
      "Unknown tensors 'c', 'seed', 'cache', 'flag' were not used.",
    );
    expect(await notesOf('averaged.pt', given)).toBe('');
    expect(await notesOf('lightning.pt', given)).toBe('');
  });
});

describe('what inspection shows', () => {
  it('objects that were not read, by path; none of them runs', async () => {
    const description = await describeCheckpoint(file('objects.pt'));
    expect(description).toMatchObject({
      prefix: 'model.',
      candidates: ['TopK', 'MLSAE', 'Vanilla', 'RandomK'],
    });
    expect(description.values).toMatchObject({
      best: '0.5',
      flag: '1',
      'groups.a': '1',
      'bag.a': '1',
      'counts.a': '2',
      device: 'cuda:1',
    });
    expect(description.opaque).toMatchObject({
      history: 'numpy.ndarray',
      names: 'numpy.ndarray',
      config: '__main__.Config',
      mode: '__main__.Mode',
      custom: '__main__.Custom',
      out: 'pathlib.PurePosixPath',
      when: 'datetime.datetime',
      loss: 'torch.nn.modules.loss.MSELoss',
      sparse: 'a sparse tensor (torch.sparse_coo) of shape [2, 2]',
      csr: 'a sparse tensor (torch.sparse_csr) of shape [2, 2]',
      quantized: 'a quantized tensor (qint8) of shape [2]',
      meta: 'a tensor without data (meta, float32) of shape [2]',
      nested: 'a nested tensor',
      conjugate: 'a tensor with its conj bit set (complex64) of shape [2]',
    });
    expect(description.others).toEqual(expect.arrayContaining(['uint16', 'float8']));
    const text = renderDescription(description);
    expect(text).toContain('config: __main__.Config, not read');
  });

  it('several SAEs, told apart by prefix', async () => {
    const description = await describeCheckpoint(file('two.safetensors'));
    expect(description.prefixes).toEqual(['a.', 'b.module.']);
    expect(description.mustGive.TopK).toEqual(['kind', 'prefix', 'layer', 'k']);
    expect(description.choices[0]!.fields).toContainEqual({
      field: 'prefix',
      state: 'required',
      options: ['a.', 'b.module.'],
      reason: 'the file holds 2 SAEs',
    });
    const text = renderDescription(description);
    expect(text).toContain("holds 2 SAEs, told apart by prefix: 'a.', 'b.module.'");
    expect((await describeCheckpoint(file('same-twice.pt'))).prefixes).toEqual([]);
  });

  it('a plain SAE, with what a request may say', async () => {
    const description = await describeCheckpoint(file('plain-matrices.pt'));
    expect(description).toMatchObject({
      candidates: ['Vanilla', 'TopK', 'MLSAE', 'RandomK'],
      kindKnown: false,
      published: { format: 'plain', subtractsDecoderBias: true },
    });
    expect(description.choices[0]!.fields).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ field: 'normalization', state: 'optional', value: 'none' }),
        expect.objectContaining({ field: 'preBias', state: 'optional', value: true }),
      ]),
    );
  });
});

it('what Python’s weights_only reader allows is read', async () => {
  // objects.pt has more than that; these are the tensors that only need a known dtype.
  const { contents } = await readCheckpoint(file('objects.pt'));
  expect(contents.tensors.get('uint16')!.dtype).toBe('uint16');
  expect(contents.tensors.get('float8')!.dtype).toBe('float8_e5m2');
  expect(existsSync('sae-eval-was-run')).toBe(false);
});
