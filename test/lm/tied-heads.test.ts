/**
 * Head and embedding, tied and not, as transformers 5 loads them: with a golden model's own weights
 * under other names or settings its golden logits must come out, or must not.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadLanguageModel, type LanguageModel } from '#src/lm/index.js';
import { loadTensors, saveTensors, scope, type Tensor } from '#src/torch.js';
import { describe, expect, it } from 'vitest';
import { deviations, readTensors, root } from './reference.js';

const tolerance = 1e-4;

/** Copy of a golden model with other settings and with its weights changed. */
async function changed(
  name: string,
  settings: object,
  change: (weights: Map<string, Tensor>) => void = () => undefined,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tied-'));
  cpSync(`${root}test/golden/${name}`, folder, { recursive: true });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, ...settings }));
  const weights = new Map(await loadTensors(join(folder, 'model.safetensors')));
  const all = new Set(weights.values());
  change(weights);
  rmSync(join(folder, 'model.safetensors'));
  await saveTensors(join(folder, 'model.safetensors'), weights);
  for (const tensor of new Set([...all, ...weights.values()])) tensor.dispose();
  return folder;
}

async function logitsOff(model: LanguageModel, name: string): Promise<number> {
  const expected = await readTensors(`${root}test/golden/${name}/expected.safetensors`);
  const { logits } = deviations(model, expected);
  for (const tensor of expected.values()) tensor.dispose();
  return logits!;
}

/** Golden models that are not tied, with a name under which transformers finds the head. */
const untied: [name: string, head: string, as: string][] = [
  ['models/llama2', 'lm_head', 'lm_head'],
  ['models/qwen3', 'lm_head', 'lm_head'],
  ['models/mistral', 'lm_head', 'lm_head'],
  ['models/olmo2', 'lm_head', 'lm_head'],
  ['models/phi3', 'lm_head', 'lm_head'],
  ['models-odd/gemma2-llama3', 'lm_head', 'lm_head'],
  ['models-odd/gpt2-unscaled', 'lm_head', 'lm_head'],
  ['models-odd/neox-sequential', 'embed_out', 'embed_out'],
  ['models-odd/neox-sequential', 'embed_out', 'lm_head'],
];

describe('a head of its own under tie_word_embeddings', () => {
  it.each(untied)('%s, %s as %s: is used, and a note says so', async (name, head, as) => {
    const folder = await changed(name, { tie_word_embeddings: true }, (weights) => {
      const weight = weights.get(`${head}.weight`)!;
      weights.delete(`${head}.weight`);
      weights.set(`${as}.weight`, weight);
    });
    const model = await loadLanguageModel(folder);
    expect(await logitsOff(model, name)).toBeLessThan(tolerance);
    expect(model.notes.map(({ en }) => en)).toEqual([
      expect.stringMatching(new RegExp(`tie_word_embeddings.*${as}\\.weight.*differs`)),
    ]);
    model.dispose();
  });
});

/** Golden models that are tied, with the name of the embedding. */
const tied: [name: string, embedding: string, head: string][] = [
  ['models/gemma2', 'model.embed_tokens', 'lm_head'],
  ['models/gemma3_text', 'model.embed_tokens', 'lm_head'],
  ['models/gpt2', 'transformer.wte', 'lm_head'],
  ['models/qwen2', 'model.embed_tokens', 'lm_head'],
  ['models-odd/neox-linear', 'gpt_neox.embed_in', 'embed_out'],
];

describe('a tied model', () => {
  it.each(tied)('%s: the same head in the file counts once', async (name, embedding, head) => {
    const folder = await changed(name, {}, (weights) =>
      weights.set(`${head}.weight`, weights.get(`${embedding}.weight`)!.clone()),
    );
    const [model, original] = [
      await loadLanguageModel(folder),
      await loadLanguageModel(`${root}test/golden/${name}`),
    ];
    expect(await logitsOff(model, name)).toBeLessThan(tolerance);
    expect(model.parameters).toBe(original.parameters);
    expect(model.notes).toEqual([]);
    for (const each of [model, original]) each.dispose();
  });

  it.each(tied)('%s: a head without an embedding is the embedding', async (name, from, head) => {
    const folder = await changed(name, {}, (weights) => {
      weights.set(`${head}.weight`, weights.get(`${from}.weight`)!);
      weights.delete(`${from}.weight`);
    });
    const model = await loadLanguageModel(folder);
    expect(await logitsOff(model, name)).toBeLessThan(tolerance);
    model.dispose();
  });
});

describe('rows that do not fit', () => {
  const longer = (weight: Tensor): Tensor =>
    scope(() => weight.new_zeros([weight.shape[0]! + 8, weight.shape[1]!]));

  it.each([
    ['models/gemma2', 'model.embed_tokens.weight', true],
    ['models/gemma2', 'lm_head.weight', true],
    ['models/llama2', 'model.embed_tokens.weight', false],
    ['models/llama2', 'lm_head.weight', false],
  ])('%s: %s with more rows than vocab_size is an error with both', async (name, weight, tie) => {
    const folder = await changed(name, { tie_word_embeddings: tie }, (weights) =>
      weights.set(weight, longer(weights.get(weight) ?? weights.get('model.embed_tokens.weight')!)),
    );
    const { vocab_size: rows } = JSON.parse(
      readFileSync(`${root}test/golden/${name}/config.json`, 'utf8'),
    ) as { vocab_size: number };
    await expect(loadLanguageModel(folder)).rejects.toMatchObject({
      code: 'checkpoint-shape',
      message: expect.stringMatching(
        new RegExp(
          `${weight.replace('model.', '')}: expected shape \\[${rows}, .*found \\[${rows + 8}, `,
        ),
      ),
    });
  });

  it('a model that is not tied and has no head is refused', async () => {
    const folder = await changed('models/llama2', {}, (weights) =>
      weights.delete('lm_head.weight'),
    );
    await expect(loadLanguageModel(folder)).rejects.toMatchObject({
      code: 'checkpoint-keys',
      message: expect.stringMatching(/expected the tensor lm_head\.weight/),
    });
  });
});
