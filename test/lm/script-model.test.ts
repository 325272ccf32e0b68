/**
 * A language model exported as TorchScript (fixtures/torchscript/make.py), against the same model
 * in Python.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspectRequest } from '#src/inspect/inspect.js';
import { evaluate } from '#src/compute/evaluate.js';
import { run } from '#src/evaluation/run/run.js';
import { validateRequest } from '#src/evaluation/request/resolve.js';
import type { Estimate } from '#src/schema/index.js';
import { loadLanguageModel, readModelConfig } from '#src/lm/index.js';
import { memory, ops, setInferenceMode } from '#src/torch/index.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviations, forward, readTensors, root } from './reference.js';

const fixture = `${root}test/lm/fixtures/torchscript/`;
const allowed = { allowProgram: true };
let folder: string;
beforeAll(() => {
  setInferenceMode(true);
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-script-'));
  for (const name of ['manifest.json', 'model.pt'])
    copyFileSync(`${fixture}${name}`, join(folder, name));
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(`${root}checkpoints/tiny-llama/${name}`, join(folder, name));
});
const copies: string[] = [];
afterAll(() => {
  for (const made of [folder, ...copies]) rmSync(made, { recursive: true });
});

/** The folder with fields of its manifest changed. */
function changed(change: object): string {
  const copy = mkdtempSync(join(tmpdir(), 'sae-eval-script-'));
  copies.push(copy);
  copyFileSync(`${fixture}model.pt`, join(copy, 'model.pt'));
  writeFileSync(
    join(copy, 'manifest.json'),
    JSON.stringify({
      ...(JSON.parse(readFileSync(`${fixture}manifest.json`, 'utf8')) as object),
      ...change,
    }),
  );
  return copy;
}

describe('a model exported as TorchScript', () => {
  it('has the states it has in Python', async () => {
    const before = memory().handles;
    const model = await loadLanguageModel(folder, allowed);
    const expected = await readTensors(`${fixture}expected.safetensors`);
    const found = deviations(model, expected);
    expect(Object.keys(found)).toHaveLength(6);
    // float32 sums of up to 20 terms, in the same order as in Python
    for (const [name, off] of Object.entries(found)) expect(off, name).toBeLessThan(1e-5);
    expect(model.parameters).toBe((await readModelConfig(folder, allowed)).script?.parameters);
    for (const tensor of expected.values()) tensor.dispose();
    model.dispose();
    expect(memory().handles).toBe(before);
  });

  it('gives logits of a range of the vocabulary, and runs copies of a batch stacked', async () => {
    const model = await loadLanguageModel(folder, allowed);
    const expected = await readTensors(`${fixture}expected.safetensors`);
    const ids = expected.get('input_ids')!;
    const { states } = forward(model, ids, [9, 4, 8]);
    const h = states.get('h.last')!.reshape([-1, model.width]);
    // a matmul of another width may sum in another order
    expect(
      model
        .head(h, { from: 100, count: 7 })
        .sub(model.head(h).narrow(1, 100, 7))
        .abs()
        .max()
        .item(),
    ).toBeLessThan(1e-5);
    const context = model.context([9, 4, 8], 9);
    const r = states.get('h.0')!;
    const stacked = model.block(1, ops.cat([r, r.mul(2)], 0), context);
    expect(stacked.narrow(0, 0, 3).sub(states.get('r.1')!).abs().max().item()).toBeLessThan(1e-6);
    expect(() => model.block(1, r, context, (_, value) => value)).toThrow(
      expect.objectContaining({ code: 'model-unsupported' }),
    );
    context.dispose();
    model.dispose();
  });

  it('evaluates an SAE as hooks in Python do', async () => {
    const { seqLen, samples, tokens, strict } = JSON.parse(
      readFileSync(`${fixture}expected.json`, 'utf8'),
    ) as { seqLen: number; samples: number; tokens: number; strict: Record<string, number> };
    const result = await run(
      {
        model: folder,
        dataset: { path: `${root}checkpoints/eval`, seqLen, maxSamples: samples },
        saes: [{ checkpoint: `${fixture}sae` }],
      },
      allowed,
    );
    expect(result.data.realTokens).toBe(tokens);
    expect(result.results[0]).toMatchObject({ error: null, layer: 2, format: 'saelens' });
    const found = result.results[0]!.strict as unknown as Record<string, Estimate>;
    for (const [name, value] of Object.entries(strict))
      expect(
        Math.abs(found[name]!.mean - value),
        `${name}: ${found[name]!.mean}, expected ${value}`,
      ).toBeLessThanOrEqual(1e-4 * value);
  });

  it('runs only where that was asked for', async () => {
    const request = {
      model: folder,
      dataset: { path: `${root}checkpoints/eval`, seqLen: 12, maxSamples: 2 },
      saes: [{ checkpoint: `${fixture}sae` }],
    };
    const refusal = {
      code: 'model-unsupported',
      message: expect.stringMatching(
        /--allow-program .* allowProgram .* SAE_EVAL_TORCHSCRIPT=1/,
      ) as string,
    };
    await expect(run(request)).rejects.toMatchObject(refusal);
    await expect(evaluate(request)).rejects.toMatchObject(refusal);
    await expect(loadLanguageModel(folder)).rejects.toMatchObject(refusal);
    await expect(validateRequest(request)).rejects.toMatchObject(refusal);
    await expect(validateRequest(request, allowed)).resolves.toMatchObject({
      model: { family: 'torchscript' },
    });
    const paths = [folder, `${root}checkpoints/eval`, `${fixture}sae`].map((path) => ({
      name: path,
      path,
    }));
    await expect(inspectRequest(request, paths)).rejects.toMatchObject(refusal);
    expect((await evaluate(request, allowed)).results[0]!.error).toBeNull();
  });

  it('does not run in place of the ordinary model beside it', async () => {
    const both = changed({});
    for (const name of ['config.json', 'model.safetensors'])
      copyFileSync(`${root}checkpoints/tiny-llama/${name}`, join(both, name));
    expect((await readModelConfig(both)).family).toBe('llama');
    const model = await loadLanguageModel(both);
    expect(model.family).toBe('llama');
    model.dispose();
    expect((await readModelConfig(both, allowed)).family).toBe('torchscript');
    writeFileSync(join(both, 'config.json'), '{ "model_type": "own" }');
    await expect(readModelConfig(both)).rejects.toMatchObject({
      code: 'model-unsupported',
      message: expect.stringMatching(/own.*--allow-program/s) as string,
    });
  });

  it('is refused where manifest and program do not fit', async () => {
    await expect(readModelConfig(changed({ layers: 0 }), allowed)).rejects.toMatchObject({
      code: 'model-invalid',
      message: expect.stringContaining('layers') as string,
    });
    await expect(
      readModelConfig(changed({ program: '../model.pt' }), allowed),
    ).rejects.toMatchObject({
      code: 'model-invalid',
      message: expect.stringContaining('program') as string,
    });
    await expect(readModelConfig(changed({ version: 2 }), allowed)).rejects.toMatchObject({
      code: 'model-invalid',
    });
    await expect(
      loadLanguageModel(changed({ program: 'other.pt' }), allowed),
    ).rejects.toMatchObject({
      code: 'file-not-found',
      message: expect.stringContaining('other.pt') as string,
    });
    // another tool's manifest is none
    await expect(readModelConfig(changed({ format: 'web-app' }), allowed)).rejects.toMatchObject({
      code: 'file-not-found',
    });
    const narrow = await loadLanguageModel(changed({ width: 16 }), allowed);
    expect(() => narrow.embed(ops.zeros([1, 2], { dtype: 'int64' }))).toThrow(
      /expected embed to give a tensor \[1, 2, 16\] in float32, found \[1, 2, 8\]/,
    );
    narrow.dispose();
    const other = changed({});
    copyFileSync(`${root}test/golden/script/calls.pt`, join(other, 'model.pt'));
    await expect(loadLanguageModel(other, allowed)).rejects.toMatchObject({
      code: 'model-invalid',
      message: expect.stringContaining('found none called embed, block') as string,
    });
    writeFileSync(join(other, 'model.pt'), 'no program');
    await expect(loadLanguageModel(other, allowed)).rejects.toMatchObject({
      code: 'checkpoint-format',
      message: expect.stringContaining(other) as string,
    });
  });
});
