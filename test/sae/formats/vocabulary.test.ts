/**
 * A file's word: every key and tensor of a published file is honored, refused by name, known to be
 * harmless, or told in a note.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { writeSafetensors } from '#src/checkpoint/write-safetensors.js';
import { evaluate } from '#src/compute/evaluate.js';
import { describeCheckpoint } from '#src/inspect/describe-checkpoint.js';
import { renderDescription } from '#src/inspect/render.js';
import type { SaeDescription } from '#src/sae/description.js';
import { formats } from '#src/sae/formats/formats.js';
import { Refused, type Keys } from '#src/sae/formats/vocabulary.js';
import type { GivenFields } from '#src/sae/given.js';
import { convertCheckpoint } from '#src/sae/index.js';
import { describeSAE } from '#src/sae/load.js';
import { ops, type Tensor } from '#src/torch/index.js';
import { withTable } from '../../docs/generated-section.js';
import { root, shipped } from '../../golden/load.js';
import { vocabularyDocument } from './vocabulary-document.js';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function copied(name: string): string {
  const copy = join(folder, String(count++), name);
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(fixture(name), copy, { recursive: true });
  return copy;
}

type Json = Record<string, unknown>;
const withField = (json: Json, path: readonly string[], value: unknown): Json => ({
  ...json,
  [path[0]!]:
    path.length === 1 ? value : withField((json[path[0]!] ?? {}) as Json, path.slice(1), value),
});

/** A copy of a fixture with one field of its configuration set. */
function changed(name: string, config: string, path: string, value: unknown): string {
  const copy = copied(name);
  const file = join(copy, config);
  const json = JSON.parse(readFileSync(file, 'utf8')) as Json;
  writeFileSync(file, JSON.stringify(withField(json, path.split('.'), value)));
  return copy;
}

/** A copy of a fixture with further tensors. */
async function extended(
  name: string,
  weights: string,
  more: Readonly<Record<string, Tensor>>,
): Promise<string> {
  const copy = copied(name);
  const path = join(copy, weights);
  const tensors = openTensors(await readCheckpoint(path), { dtype: 'float32' });
  const own = new Map([...tensors].map(([key, tensor]) => [key, tensor.clone()]));
  await writeSafetensors(path, new Map([...own, ...Object.entries(more)]));
  for (const tensor of [...tensors.values(), ...own.values(), ...Object.values(more)])
    tensor.dispose();
  return copy;
}

const failure = async (path: string, given: GivenFields = {}): Promise<Error> =>
  describeSAE(path, given).then(
    () => expect.fail('it was accepted'),
    (thrown: unknown) => thrown as Error,
  );
const english = ({ notes }: Pick<SaeDescription, 'notes'>): string[] => notes.map(({ en }) => en);

/** A fixture of each format with a configuration. */
const samples: Record<string, [name: string, config: string, given?: GivenFields]> = {
  saelens: ['saelens-standard', 'cfg.json'],
  openmoss: ['openmoss-jumprelu', 'config.json'],
  sparsify: ['sparsify/layers.5', 'cfg.json'],
  dictionary_learning: ['dictionary_learning-BatchTopKSAE', 'config.json'],
  mlsae: ['mlsae', 'config.json'],
  crosscoder: ['crosscoder', 'cfg.json', { scale: [1, 1] }],
  'llama-scope': ['llama-scope', 'hyperparams.json'],
  'gemma-scope-2': ['gemma-scope-2-1b-pt/resid_post/layer_12_width_16k_l0_medium', 'config.json'],
};

const refusedKeys = (keys: Keys, at = ''): [string, Refused][] =>
  Object.entries(keys).flatMap(([key, entry]) => {
    if (entry instanceof Refused) return [[`${at}${key}`, entry]];
    return typeof entry === 'string' ? [] : refusedKeys(entry, `${at}${key}.`);
  });

const withConfig = formats.filter(({ name }) => name in samples);

describe.each(withConfig.map((format) => [format.name, format] as const))('%s', (name, format) => {
  const [sample, config, given] = samples[name]!;

  it('notes a key that nobody knows, with its path', async () => {
    const nested = name === 'saelens' ? 'metadata.of_tomorrow' : 'of_tomorrow';
    const notes = english(await describeSAE(changed(sample, config, nested, 1), given));
    expect(notes.at(-1)).toContain(`'${nested}'`);
    expect(notes.at(-1)).toContain(config);
  });

  const refused = refusedKeys(format.vocabulary!.keys);
  if (refused.length > 0)
    it.each(refused)('refuses %s by name, and accepts what changes nothing', async (path, word) => {
      const error = await failure(changed(sample, config, path, 'of another kind'), given);
      expect(error).toMatchObject({ code: 'sae-kind' });
      expect(error.message).toContain(`${path} "of another kind" is not supported`);
      expect(error.message).toContain(word.why);
      for (const accepted of word.unless.filter((value) => value !== 'crosscoder'))
        await expect(
          describeSAE(changed(sample, config, path, accepted), given),
        ).resolves.toBeDefined();
    });
});

describe('published files', () => {
  const published: [string, GivenFields?][] = [
    ...['saelens-standard', 'saelens-topk-before-6', 'saelens-gated', 'saelens-rc'].map(
      (name): [string] => [name],
    ),
    ...['AutoEncoder', 'AutoEncoderTopK', 'GatedAutoEncoder', 'MatryoshkaBatchTopKSAE'].map(
      (name): [string] => [`dictionary_learning-${name}`],
    ),
    ['dictionary_learning-backup'],
    ['sparsify/layers.5'],
    ['sparsify/signed/layers.1'],
    ['gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71'],
    ['openai-topk/0.pt'],
    ['openai-relu/0.pt'],
    ['SAE-Res-Qwen3-0.6B-Base-W1K-L0_3/layer12.sae.pt'],
    ['connor-rob-hook-z/gpt2-small_L9_Hcat_z_lr1.20e-03_l11.20e+00_ds10_v9.pt'],
    ['mlsae-tfm'],
    ['llama-scope-published'],
    ['openmoss-jumprelu'],
    ['openmoss-glu'],
    ['openmoss-crosscoder'],
    ['crosscoder', { scale: [1, 1] }],
  ];
  it.each(published)('%s has no unknown word', async (name, given) => {
    const notes = english(await describeSAE(fixture(name), given));
    expect(notes.filter((note) => /not know|not use/.test(note))).toEqual([]);
  });
});

describe('tensors', () => {
  it('notes those that the SAE does not use, known or not', async () => {
    const path = await extended('saelens-standard', 'sae_weights.safetensors', {
      threshold: ops.ones([10]),
      of_tomorrow: ops.ones([10]),
    });
    const [note] = (await describeSAE(path)).notes;
    expect(note!.en).toContain("does not use: 'of_tomorrow', 'threshold'");
    expect(note!.zh).toContain("未使用的张量：'of_tomorrow', 'threshold'");
  });

  it('refuses one that would change the output by name', async () => {
    const path = await extended('sparsify/layers.5', 'sae.safetensors', { W_skip: ops.eye(6) });
    const error = await failure(path);
    expect(error).toMatchObject({ code: 'sae-kind' });
    expect(error.message).toContain("'W_skip'");
  });

  it('passes over a scaling factor of ones, and no other', async () => {
    const of = async (values: Tensor): Promise<string> =>
      extended('saelens-standard', 'sae_weights.safetensors', { scaling_factor: values });
    expect((await describeSAE(await of(ops.ones([10])))).notes).toEqual([]);
    const error = await failure(await of(ops.full([10], 1.5)));
    expect(error.message).toContain("'scaling_factor'");
  });
});

describe('positions and BOS of the training', () => {
  const said = async (path: string, value: unknown) => {
    const { exclusion, prependBos } = await describeSAE(
      changed('saelens-standard', 'cfg.json', path, value),
    );
    return { exclusion, prependBos };
  };
  const nothing = { specials: false, ids: [], kept: null };

  it.each([
    ['metadata.exclude_special_tokens', true, { ...nothing, specials: true }],
    ['exclude_special_tokens', [0, 2], { ...nothing, ids: [0, 2] }],
    ['metadata.exclude_special_tokens', false, undefined],
    ['metadata.seqpos_slice', [1, null], { ...nothing, kept: [1, null] }],
    ['seqpos_slice', [5, -5], { ...nothing, kept: [5, -5] }],
    ['seqpos_slice', [0, null, 2], { ...nothing, kept: [0, null, 2] }],
    // slice(7): the end alone; slice(None): everything, SAELens' default.
    ['metadata.seqpos_slice', [7], { ...nothing, kept: [null, 7] }],
    ['metadata.seqpos_slice', [null], undefined],
  ])('%s %j', async (path, value, exclusion) => {
    expect(await said(path, value)).toEqual({ exclusion, prependBos: undefined });
  });

  it.each([true, false])('metadata.prepend_bos %s', async (value) => {
    expect((await said('metadata.prepend_bos', value)).prependBos).toBe(value);
  });

  it.each([
    ['seqpos_slice', [0, null, 0]],
    ['seqpos_slice', [1, 2, 3, 4]],
    ['metadata.exclude_special_tokens', 'yes'],
  ])('%s %j is an error', async (path, value) => {
    const error = await failure(changed('saelens-standard', 'cfg.json', path, value));
    expect(error).toMatchObject({ code: 'checkpoint-format' });
    expect(error.message).toContain(path);
  });

  it('dictionary_learning and mlsae: special tokens left out, no BOS', async () => {
    const backup = changed('dictionary_learning-AutoEncoder', 'config.json', 'buffer', {
      remove_bos: true,
      add_special_tokens: false,
      io: 'out',
    });
    expect(await describeSAE(backup)).toMatchObject({
      exclusion: { specials: true },
      prependBos: false,
    });
    const mlsae = changed('mlsae', 'config.json', 'skip_special_tokens', true);
    expect(await describeSAE(mlsae)).toMatchObject({ exclusion: { specials: true } });
  });

  it.each(['saelens', 'routesae'] as const)('stay in a conversion to %s', async (to) => {
    const from = changed('sparsify/signed', 'layers.1/cfg.json', 'k', 4).concat('/layers.1');
    const half = join(folder, String(count++));
    await convertCheckpoint(from, half, { to: 'saelens' });
    const config = join(half, 'cfg.json');
    const json = JSON.parse(readFileSync(config, 'utf8')) as Json;
    const metadata = { exclude_special_tokens: true, seqpos_slice: [2], prepend_bos: false };
    for (const [key, value] of Object.entries(metadata))
      writeFileSync(
        config,
        JSON.stringify(Object.assign(json, withField(json, ['metadata', key], value))),
      );
    const written = join(folder, `${count++}.pt`);
    await convertCheckpoint(half, written, { to });
    expect(await describeSAE(written)).toMatchObject({
      exclusion: { specials: true, ids: [], kept: [null, 2] },
      prependBos: false,
      activation: { kind: 'topk', k: 4, byMagnitude: true },
    });
  });
});

describe('sites that are not the whole of one', () => {
  it.each([
    ['d_out', 7, 'transcoder'],
    ['metadata.hook_head_index_out', 2, 'one head'],
    ['tied_weights', true, 'the encoder'],
  ])('%s %j', async (path, value, why) => {
    const error = await failure(changed('saelens-standard', 'cfg.json', path, value));
    expect(error).toMatchObject({ code: 'sae-kind' });
    expect(error.message).toContain(path.replace(/^.*\./, ''));
    expect(error.message).toContain(why);
  });

  it.each([
    ['metadata.hook_head_index', 2],
    ['hook_point_head_index', 0],
  ])('%s %j is the place', async (path, head) => {
    const described = await describeSAE(changed('saelens-standard', 'cfg.json', path, head));
    expect(described.place).toMatchObject({ named: 'blocks.3.hook_resid_pre', head });
  });

  it('fold_value_biases matters for outputs of heads alone', async () => {
    const settings = { fold_value_biases: true, fold_ln: false, center_unembed: true };
    const path = changed(
      'saelens-standard',
      'cfg.json',
      'metadata.model_from_pretrained_kwargs',
      settings,
    );
    expect((await describeSAE(path)).notes).toEqual([]);
    const config = join(path, 'cfg.json');
    const json = JSON.parse(readFileSync(config, 'utf8')) as Json;
    const heads = withField(json, ['metadata', 'hook_name'], 'blocks.3.attn.hook_z');
    writeFileSync(config, JSON.stringify(heads));
    expect((await failure(path)).message).toContain('fold_value_biases');
  });
});

describe('scales of SAELens that the file holds', () => {
  it.each([
    ['expected_average_only_in', 'norm_scaling_factor'],
    ['constant_scalar_rescale', 'norm_scaling_factor'],
    ['constant_scalar_rescale', 'activation_normalization_factor'],
  ])('%s with %s', async (mode, key) => {
    const path = changed('saelens-standard', 'cfg.json', 'normalize_activations', mode);
    expect((await failure(path)).message).toContain('scale');
    const config = join(path, 'cfg.json');
    const json = JSON.parse(readFileSync(config, 'utf8')) as Json;
    writeFileSync(config, JSON.stringify({ ...json, [key]: 0.25 }));
    expect(await describeSAE(path)).toMatchObject({
      normalization: { kind: 'scale', factor: 0.25 },
    });
    expect(await describeSAE(path, { scale: 2 })).toMatchObject({
      normalization: { kind: 'scale', factor: 2 },
    });
  });
});

it('an L0 that the metadata of SAELens states is published', async () => {
  const of = (value: unknown) =>
    describeSAE(changed('saelens-standard', 'cfg.json', 'metadata.l0', value));
  expect((await of(61.5)).publishedL0).toBe(61.5);
  expect((await of('many')).publishedL0).toBeUndefined();
});

describe('where a note is told', () => {
  it('in inspect, and with the SAE of a request', async () => {
    const path = changed('saelens-standard', 'cfg.json', 'metadata.seqpos_slice', [1, null]);
    const config = join(path, 'cfg.json');
    const json = JSON.parse(readFileSync(config, 'utf8')) as Json;
    writeFileSync(config, JSON.stringify({ ...json, 'of_\u001btomorrow': 1 }));
    const inspected = await describeCheckpoint(path);
    expect(inspected.published!.exclusion).toEqual({ specials: false, ids: [], kept: [1, null] });
    expect(inspected.published!.notes[0]!.en).toContain("'of_�tomorrow'");
    const gemma = 'gemma-scope-2-1b-pt/resid_post/layer_12_width_16k_l0_medium';
    const published = await describeCheckpoint(fixture(gemma));
    expect(published.published).toMatchObject({ publishedL0: 3, layers: [13], obstacle: null });
    expect(renderDescription(published)).toContain('published L0: 3\n');
    const text = renderDescription(inspected);
    expect(text).toContain("note: cfg.json has keys that sae-eval does not know: 'of_�tomorrow'");
    expect(text).toContain('trained on contexts: positions [1:]');
  });

  it('in the result', async () => {
    const source = join(root, 'test/evaluation/fixtures/published/saelens-topk');
    const copy = join(folder, String(count++));
    cpSync(source, copy, { recursive: true });
    const config = join(copy, 'cfg.json');
    const json = JSON.parse(readFileSync(config, 'utf8')) as Json;
    writeFileSync(config, JSON.stringify({ ...json, of_tomorrow: 1 }));
    const { results } = await evaluate({
      model: shipped('tiny-llama'),
      dataset: { path: shipped('eval'), seqLen: 16, maxSamples: 1 },
      saes: [{ checkpoint: copy }],
      metrics: ['L0'],
      protocol: ['strict'],
    });
    const note = results[0]!.notes.find(({ en }) => en.includes('of_tomorrow'));
    expect(note).toMatchObject({ metric: 'checkpoint' });
    expect(note!.zh).toContain('不认识的键');
  });
});

it('docs/reference/formats.md lists every word', async () => {
  const { path, text } = withTable('formats.md', vocabularyDocument(formats));
  await expect(text).toMatchFileSnapshot(path);
});
