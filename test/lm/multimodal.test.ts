/**
 * Multimodal models on text alone, against transformers (test/golden/multimodal): each is read as
 * its text model, under the names of either generation of files.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadLanguageModel, readModelConfig } from '#src/lm/index.js';
import { multimodalTypes } from '#src/lm/multimodal.js';
import { modelSize, WeightFiles } from '#src/lm/weight-files.js';
import { saveTensors } from '#src/torch.js';
import { scope, setInferenceMode, type Tensor } from '#src/torch/index.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviation, forward, readTensors, root } from './reference.js';

/** Absolute or relative, as for every family. */
const tolerance = 1e-4;

type Config = Record<string, unknown> & { model_type: string; text_config: object };

const golden = `${root}test/golden/multimodal`;
const configs = JSON.parse(readFileSync(`${golden}/cases.json`, 'utf8')) as Record<string, Config>;

let tensors: Map<string, Tensor>;
beforeAll(async () => {
  setInferenceMode(true);
  tensors = await readTensors(`${golden}/multimodal.safetensors`);
});
afterAll(() => {
  for (const tensor of tensors.values()) tensor.dispose();
});

/** Folder of a case, with another config.json or other names of its weights. */
async function folderOf(
  name: string,
  config: object = configs[name]!,
  rename = (weight: string): string => weight,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'multimodal-'));
  const prefix = `${name}/weights/`;
  const weights = [...tensors]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, tensor]) => [rename(key.slice(prefix.length)), tensor] as const);
  await saveTensors(join(folder, 'model.safetensors'), new Map(weights));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}

async function logitsOff(folder: string, name: string): Promise<number> {
  const model = await loadLanguageModel(folder);
  const ids = tensors.get(`${name}/ids`)!;
  const lengths = [ids.shape[1]!];
  const off = scope(() => {
    const { states, T } = forward(model, ids, lengths);
    return deviation(states.get('logits')!, tensors.get(`${name}/logits`)!, { lengths, T });
  });
  model.dispose();
  return off;
}

/** Names of the older files for those of the newer, and the other way round. */
function renamed(weight: string): string {
  if (weight.startsWith('language_model.lm_head.')) return weight.slice('language_model.'.length);
  return weight.startsWith('language_model.model.')
    ? weight.replace('language_model.model.', 'model.language_model.')
    : weight.replace('model.language_model.', 'language_model.model.');
}

describe.each(Object.keys(configs))('%s', (name) => {
  it('gives the logits of transformers, under both generations of names', async () => {
    expect(await logitsOff(await folderOf(name), name)).toBeLessThan(tolerance);
    const other = await folderOf(name, configs[name], renamed);
    expect(await logitsOff(other, name)).toBeLessThan(tolerance);
  });

  it('has no key that would be named in a note, and only the text model counts', async () => {
    const folder = await folderOf(name);
    const config = await readModelConfig(folder);
    expect(config.notes).toEqual([]);
    const model = await loadLanguageModel(folder);
    const { parameters } = modelSize(await WeightFiles.read(folder), config, 'float32');
    expect(parameters).toBe(model.parameters);
    model.dispose();
  });
});

it('every multimodal model has a case, here or beside its family', () => {
  const odd = `${root}test/golden/models-odd`;
  const beside = readdirSync(odd, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => JSON.parse(readFileSync(`${odd}/${name}/config.json`, 'utf8')) as Config);
  const cased = new Set([...Object.values(configs), ...beside].map((config) => config.model_type));
  expect(multimodalTypes.filter((type) => !cased.has(type))).toEqual([]);
});

it('reads the first files of Qwen 2 VL, with the text keys beside the others', async () => {
  const { text_config: text, ...others } = configs['qwen2_vl']!;
  const flat = { ...text, ...others };
  expect(await logitsOff(await folderOf('qwen2_vl', flat), 'qwen2_vl')).toBeLessThan(tolerance);
});

it('refuses a text model of no family by name', async () => {
  const { text_config: text, ...others } = configs['llava']!;
  const config = { ...others, text_config: { ...text, model_type: 'no_such' } };
  await expect(loadLanguageModel(await folderOf('llava', config))).rejects.toMatchObject({
    code: 'model-unsupported',
    message: expect.stringMatching(/text_config\.model_type: expected one of .*, found no_such/),
  });
});

it('refuses quantized weights of the text model', async () => {
  const { text_config: text, ...others } = configs['llava']!;
  const quantized = { ...text, quantization_config: { quant_method: 'fp8' } };
  const folder = await folderOf('llava', { ...others, text_config: quantized });
  await expect(loadLanguageModel(folder)).rejects.toMatchObject({
    code: 'model-unsupported',
    message: expect.stringContaining('text_config.quantization_config'),
  });
});
