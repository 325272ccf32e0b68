/**
 * Keys of config.json: what each family takes them for, against what transformers makes of them
 * (test/golden/config-keys).
 */
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { SaeEvalError } from '#src/errors.js';
import { idleByAll, onlyByAll, ropeKeys, usedByAll } from '#src/lm/config-keys.js';
import { families } from '#src/lm/families/index.js';
import type { Family } from '#src/lm/family.js';
import { loadLanguageModel, readModelConfig, type ModelConfig } from '#src/lm/index.js';
import { JsonFields } from '#src/lm/json-fields.js';
import { multimodalKeys } from '#src/lm/multimodal.js';
import { ops, scope, setInferenceMode, type Tensor } from '#src/torch/index.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { withTable } from '../docs/generated-section.js';
import { forward, readTensors, root } from './reference.js';

interface Case {
  model: string;
  key: string;
  value: unknown;
  result: 'same' | 'other' | 'error' | 'weights';
  logits?: string;
}

const golden = `${root}test/golden/`;
const cases = JSON.parse(readFileSync(`${golden}config-keys/cases.json`, 'utf8')) as Case[];
const models = [...new Set(cases.map(({ model }) => model))];
const configOf = (model: string): Record<string, unknown> =>
  JSON.parse(readFileSync(`${golden}${model}/config.json`, 'utf8')) as Record<string, unknown>;

const folders = new Map<string, string>();

/** Folder with a model's weights and another config.json, which lasts until the next call. */
function folderOf(model: string, config: object): string {
  let folder = folders.get(model);
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'config-keys-'));
    folders.set(model, folder);
    for (const name of readdirSync(golden + model))
      if (name !== 'config.json') symlinkSync(`${golden}${model}/${name}`, join(folder, name));
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}

/** Configuration without its folder and notes; the code if the file is refused. */
async function readOr(folder: string): Promise<Partial<ModelConfig> | string> {
  try {
    return { ...(await readModelConfig(folder)), path: '', notes: [] };
  } catch (thrown) {
    if (thrown instanceof SaeEvalError) return `${thrown.code}: ${thrown.message}`;
    throw thrown;
  }
}

/** Keys that matter beyond the length of the golden texts, and that are used. */
const beyond = new Set(['max_position_embeddings', 'n_positions', 'rope_scaling']);

/** Keys that matter in other models of the family: dense MLPs, more than one rotated pair. */
const elsewhere = new Set([
  'models-odd/olmo3 original_max_position_embeddings',
  'models-odd/smollm3-untied original_max_position_embeddings',
  'models-odd/qwen3-moe intermediate_size',
  'models-odd/qwen3_5-moe-fused rope_parameters',
  'models-odd/qwen3-next rope_parameters',
]);

const familyOfModel = (model: string): Family =>
  families.find(({ modelTypes }) => modelTypes.includes(String(configOf(model)['model_type'])))!;

let expected: Map<string, Tensor>;
beforeAll(async () => {
  setInferenceMode(true);
  expected = await readTensors(`${golden}config-keys/logits.safetensors`);
});
afterAll(() => {
  for (const folder of folders.values()) rmSync(folder, { recursive: true });
  for (const tensor of expected.values()) tensor.dispose();
});

describe.each(models)('%s', (model) => {
  const own = cases.filter((one) => one.model === model);
  const named = (one: Case): string => `${one.key}: ${JSON.stringify(one.value)}`;

  it('ignores what transformers ignores', async () => {
    const base = await readOr(folderOf(model, configOf(model)));
    const different: string[] = [];
    for (const one of own.filter(({ result }) => result === 'same')) {
      if (beyond.has(one.key) || elsewhere.has(`${model} ${one.key}`)) continue;
      const found = await readOr(folderOf(model, { ...configOf(model), [one.key]: one.value }));
      if (!isDeepStrictEqual(found, base))
        different.push(`${named(one)} → ${typeof found === 'string' ? found : 'other settings'}`);
    }
    // transformers hears these in some families alone; here every family refuses them.
    const refused = different.filter(
      (text) => !/^(use_bidirectional_attention|is_causal)/.test(text),
    );
    expect(refused).toEqual([]);
  });

  it('names in a note what neither uses', async () => {
    const { used, idle = [], only = {} } = familyOfModel(model).keys;
    const known = new Set([
      ...[...used, ...idle, ...Object.keys(only)],
      ...[...usedByAll, ...idleByAll, ...Object.keys(onlyByAll)],
    ]);
    const unknown = own.filter(
      ({ key, value, result }) =>
        result === 'same' && !known.has(key) && !isDeepStrictEqual(value, {}) && Boolean(value),
    );
    expect(unknown.length).toBeGreaterThan(50);
    for (const { key, value } of unknown) {
      const folder = folderOf(model, { ...configOf(model), [key]: value });
      const { notes } = await readModelConfig(folder);
      expect(notes.map(({ en }) => en)).toEqual([expect.stringContaining(`: ${key}: `)]);
    }
    expect((await readModelConfig(golden + model)).notes).toEqual([]);
  });

  it('computes what transformers computes, or refuses the key by name', async () => {
    const inputs = await readTensors(`${golden}${model}/expected.safetensors`);
    const wrong: string[] = [];
    for (const one of own.filter(({ result }) => result === 'other')) {
      const folder = folderOf(model, { ...configOf(model), [one.key]: one.value });
      try {
        const loaded = await loadLanguageModel(folder);
        const off = scope(() => {
          const length = inputs.get('attention_mask')!.select(0, 0).sum().item<number>();
          const ids = inputs.get('input_ids')!.narrow(0, 0, 1).narrow(1, 0, length);
          const logits = forward(loaded, ids, [length]).states.get('logits')!.select(0, 0);
          const last = logits.select(0, length - 1);
          return ops.sub(last, expected.get(one.logits!)!).abs().max().item<number>();
        });
        loaded.dispose();
        if (!(off < 1e-3)) wrong.push(`${named(one)}: off by ${off}`);
      } catch (thrown) {
        const told = thrown instanceof SaeEvalError && thrown.message.includes(one.key);
        if (!told) wrong.push(`${named(one)}: ${String(thrown)}`);
      }
    }
    for (const tensor of inputs.values()) tensor.dispose();
    expect(wrong).toEqual([]);
  });

  it('refuses or loads what transformers refuses, with a code', async () => {
    for (const one of own.filter(({ result }) => result === 'error' || result === 'weights')) {
      const folder = folderOf(model, { ...configOf(model), [one.key]: one.value });
      try {
        (await loadLanguageModel(folder)).dispose();
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SaeEvalError);
        expect((thrown as SaeEvalError).code).not.toBe('internal');
      }
    }
  });
});

describe('the declared keys', () => {
  const inSections = new Set([...ropeKeys.used, ...(ropeKeys.idle ?? [])]);

  it.each(models)('%s: are those that are read', (model) => {
    const read = new Set<string>();
    const spies = (['value', 'names'] as const).map((method) => {
      const original = JsonFields.prototype[method] as (...args: unknown[]) => unknown;
      return vi.spyOn(JsonFields.prototype, method).mockImplementation(function (
        this: JsonFields,
        ...args: unknown[]
      ) {
        if (typeof args[0] === 'string') read.add(args[0]);
        return original.apply(this, args) as never;
      });
    });
    const family = familyOfModel(model);
    try {
      // Without lists for each block the rules for them are read, and older fields for newer.
      for (const drop of [
        [],
        ['layer_types', 'attention_layers', 'no_rope_layers', 'rope_parameters'],
      ]) {
        const config = Object.entries({ ...configOf(model), use_sliding_window: true });
        const kept = Object.fromEntries(config.filter(([key]) => !drop.includes(key)));
        family.readConfig(JsonFields.from(kept, 'config.json'));
      }
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    const declared = new Set([...usedByAll, ...family.keys.used]);
    expect([...read].filter((key) => !declared.has(key) && !inSections.has(key))).toEqual([]);
    // familyOf reads the first two.
    const others = ['model_type', 'quantization_config', ...inSections];
    expect([...declared].filter((key) => !read.has(key) && !others.includes(key))).toEqual([]);
  });

  it('are listed in docs/reference/models.md', async () => {
    const list = (keys: readonly string[]): string => keys.map((key) => `\`${key}\``).join(', ');
    const must = (only: Readonly<Record<string, readonly unknown[]>> = {}): string =>
      Object.entries(only)
        .map(([key, values]) => `\`${key}\`: ${values.map((v) => JSON.stringify(v)).join(' or ')}`)
        .join(', ');
    const rows = [
      ['all', usedByAll, idleByAll, onlyByAll] as const,
      ['sections `rope_…`', ropeKeys.used, ropeKeys.idle ?? [], {}] as const,
      ['beside `text_config`', multimodalKeys.used, multimodalKeys.idle ?? [], {}] as const,
      ...families.map(
        ({ name, keys }) => [name, keys.used, keys.idle ?? [], keys.only ?? {}] as const,
      ),
    ].map(
      ([name, used, idle, only]) => `| ${name} | ${list(used)} | ${list(idle)} | ${must(only)} |`,
    );
    const table = ['| family | used | no effect | refused unless |', '|---|---|---|---|', ...rows];
    const { path, text } = withTable('models.md', table.join('\n'));
    await expect(text).toMatchFileSnapshot(path);
  });
});
