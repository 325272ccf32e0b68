/**
 * The form, driven in a real browser: its fields come from the file, nothing is guessed, the file's
 * own values are evaluated; requests are pasted, edited and run again; folders are added whole.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient, type CheckpointEntry, type EvaluationRecord } from '#src/client/index.js';
import { packageRoot, serve, smallRequest, temporaryFolder, untilReady } from '../harness.js';
import { executable, launch } from '../../browser.js';
import { picture, watch, type Watched } from './watched-page.js';
import { full } from '../../full.js';

const shipped = join(packageRoot, 'checkpoints');

describe.skipIf(executable === undefined)('the form', () => {
  const folder = temporaryFolder();
  const own = join(folder.path, 'own');
  let server: RunningServer;
  let client: SaeEvalClient;
  let browser: Browser;
  let page: Page;
  let watched: Watched;

  beforeAll(async () => {
    mkdirSync(join(own, 'steps'), { recursive: true });
    copyFileSync(join(shipped, 'TopK_tiny.pt'), join(own, 'TopK_L12_K64.pt'));
    copyFileSync(join(shipped, 'TopK_tiny.pt'), join(own, 'unnamed.pt'));
    copyFileSync(join(shipped, 'TopK_tiny.pt'), join(own, 'steps', 'TopK_L12_step_100.pt'));
    copyFileSync(join(shipped, 'TopK_tiny.pt'), join(own, 'steps', 'TopK_L12_step_200.pt'));
    server = await serve(folder.path, {
      roots: [
        own,
        shipped,
        ...['evaluation/fixtures/published', 'sae/formats/fixtures', 'golden/models'].map((name) =>
          join(packageRoot, 'test', name),
        ),
      ],
    });
    client = new SaeEvalClient(server.url);
    await untilReady(server.url);
    browser = await launch();
    page = await browser.newPage();
    watched = watch(page, server.url);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  async function open(path = 'new'): Promise<void> {
    await page.goto(`${server.url}/#/`);
    await page.getByRole('heading', { name: 'Evaluations' }).waitFor();
    await page.goto(`${server.url}/#/${path}`);
    await page.getByLabel('Language model').waitFor();
  }

  async function choose(checkpoint: string, model = 'tiny-llama'): Promise<void> {
    await open();
    await page.getByLabel('Language model').fill(model);
    await page.getByLabel('Text (required)').fill('eval');
    await page.getByLabel('Samples, at most').fill('8');
    await page.getByLabel('Tokens per sample').fill('16');
    await page.getByLabel('Checkpoint').fill(checkpoint);
    await page.getByText(/\d wide, \d+ latents/).waitFor();
  }

  /** Submits the form. @returns the evaluation, or the texts of the problems. */
  async function submit(): Promise<EvaluationRecord | string[]> {
    await page.getByRole('button', { name: 'Submit evaluation' }).click();
    const problem = page.locator('form > .problem:not([hidden])');
    await Promise.race([page.waitForURL(/evaluations\//), problem.waitFor()]);
    if (!page.url().includes('evaluations/'))
      return [
        ...(await problem.allInnerTexts()),
        ...(await page.locator('.field-problem').allInnerTexts()),
      ];
    return client.get(page.url().split('/').at(-1)!);
  }

  const value = (label: string): Promise<string> => page.getByLabel(label).inputValue();
  const layer = (): ReturnType<Page['getByLabel']> => page.getByLabel('Layer');
  const request = async (): Promise<{ saes: unknown[] }> =>
    JSON.parse((await page.locator('form pre').textContent())!);
  const sent = async (): Promise<unknown> => (await request()).saes[0];

  it('evaluates TopK_L12_K64.pt with the layer and k in its name', async () => {
    await choose('TopK_L12_K64.pt');
    expect(await value('Kind')).toBe('TopK');
    expect(await layer().inputValue()).toBe('12');
    expect(await page.locator('.field', { has: layer() }).innerText()).toContain('from the file');
    expect(await page.locator('[data-path="saes[0].k"]').inputValue()).toBe('64');
    const record = (await submit()) as EvaluationRecord;
    expect(record.request.saes).toMatchObject([{ kind: 'TopK', layer: 12, k: 64 }]);
    await page.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
    const { result } = await client.get(record.id);
    expect(result?.results).toMatchObject([{ kind: 'TopK', layer: 12, k: 64, error: null }]);
  });

  it('guesses nothing: kind, layer and k of a nameless file must be chosen', async () => {
    await choose('unnamed.pt');
    expect(await value('Kind')).toBe('');
    expect(await page.getByText('the file does not say').count()).toBeGreaterThan(0);
    expect(await sent()).toEqual({ checkpoint: 'unnamed.pt' });
    expect(await submit()).toEqual([
      'Please check the marked fields.',
      expect.stringContaining('must be given: this file could be TopK'),
    ]);
    await page.getByLabel('Kind').selectOption('TopK');
    expect(await layer().inputValue()).toBe('');
    await page.getByLabel('Kind').selectOption('MLSAE');
    expect(await layer().isVisible()).toBe(false);
    await page.locator('[data-path="saes[0].k"]').fill('16');
    expect(await sent()).toEqual({ checkpoint: 'unnamed.pt', kind: 'MLSAE', k: 16 });
    expect(await submit()).toMatchObject({ request: { saes: [{ kind: 'MLSAE', k: 16 }] } });
  });

  it('sends a value of the file only if it was changed, and marks that', async () => {
    const checkpoint = 'saelens-topk/sae_weights.safetensors';
    await choose(checkpoint);
    expect(await page.locator('[data-path="saes[0].k"]').inputValue()).not.toBe('');
    expect(await sent()).toEqual({ checkpoint });
    const known = await layer().inputValue();
    await layer().fill('3');
    expect(await sent()).toEqual({ checkpoint, layer: 3 });
    await page.getByText('replaces what the file says').waitFor();
    await layer().fill(known);
    expect(await sent()).toEqual({ checkpoint });
  });

  it.runIf(full)('takes a hook point instead of a layer that the file lacks', async () => {
    await choose('openai/sae.pt');
    expect(await submit()).toEqual([
      'Please check the marked fields.',
      expect.stringContaining('must be given'),
    ]);
    const hook = 'model.layers.5.mlp.output';
    await page.getByLabel('Hook point').fill(hook);
    expect(await submit()).toMatchObject({ request: { saes: [{ hook }] } });
  });

  it.runIf(full)('requires a scale that the file lacks', async () => {
    await choose('saelens-scale/sae_weights.safetensors');
    expect(await page.getByLabel('Scale').getAttribute('required')).not.toBeNull();
    expect(await submit()).toHaveLength(2);
    await page.getByLabel('Scale').fill('0.5');
    expect(await submit()).toMatchObject({ request: { saes: [{ layer: 10, scale: 0.5 }] } });
  });

  it('says why a file cannot be evaluated, and submits no request for it', async () => {
    await choose('crosscoder/cc_weights.pt');
    const why = 'cannot be evaluated: a crosscoder between 2 models';
    expect(await page.locator('.sae').innerText()).toContain(why);
    expect((await submit()) as string[]).toContainEqual(expect.stringContaining(why));
  });

  it('accepts published SAEs that need nothing, and sends no more than their paths', async () => {
    const models = await client.models();
    const needsNothing = ({ choices, kindKnown, obstacle }: CheckpointEntry): boolean =>
      kindKnown &&
      obstacle === null &&
      choices[0]!.fields.every(({ state }) => state !== 'required');
    const fitting = new Map<string, string[]>();
    for (const entry of (await client.checkpoints()).filter(needsNothing)) {
      const { layer: one, layers } = entry.choices[0]!;
      const deepest = Math.max(one ?? 1, ...(layers ?? []));
      const model = models.find(({ width, layers: l }) => width === entry.d && (l ?? 0) >= deepest);
      if (model !== undefined)
        fitting.set(model.path, [...(fitting.get(model.path) ?? []), entry.path]);
    }
    const accepted: string[] = [];
    for (const [model, paths] of fitting) {
      const saes = paths.map((checkpoint, index) => ({ checkpoint, label: `${index}` }));
      const dataset = { path: 'eval', maxSamples: 2, seqLen: 16 };
      await open();
      await page.getByRole('button', { name: 'Paste or upload' }).click();
      await page
        .getByLabel('Request as JSON')
        .fill(JSON.stringify({ model, dataset, saes, metrics: ['L0'] }));
      await page.getByRole('button', { name: 'Fill the form' }).click();
      expect((await request()).saes).toEqual(saes);
      const got = await submit();
      expect({ model, got }).toMatchObject({ model, got: { request: { saes } } });
      await client.cancel((got as EvaluationRecord).id);
      accepted.push(...paths);
    }
    expect(accepted).toEqual(
      expect.arrayContaining([
        'dictionary_learning-AutoEncoder/ae.pt',
        'mlsae/model.safetensors',
        'openmoss-crosscoder/sae_weights.safetensors',
        'saelens-topk/sae_weights.safetensors',
        'site-z/sae_weights.safetensors',
        'sparsify/layers.3/sae.safetensors',
        'gemma-scope/layer_8/width_32/average_l0_9/params.npz',
      ]),
    );
  });

  it('shows what is wrong at its field, and keeps fields that it does not know', async () => {
    await open();
    await page.getByRole('button', { name: 'Paste or upload' }).click();
    await page.getByLabel('Request as JSON').fill('{ "model": ');
    await page.getByRole('button', { name: 'Fill the form' }).click();
    await page.getByRole('alert').filter({ hasText: 'This is not JSON' }).waitFor();
    await page.getByLabel('Request as JSON').fill(
      JSON.stringify({
        model: 'tiny-llama',
        dataset: { path: 'eval', maxSamples: 0, seqLen: 16, chunking: 'packed' },
        saes: [{ kind: 'TopK', checkpoint: 'TopK_tiny.pt', layer: 17, k: 16 }],
        batch_size: 8,
      }),
    );
    await page.getByRole('button', { name: 'Fill the form' }).click();
    expect(JSON.parse(await value('Fields of the request that this form'))).toEqual({
      batch_size: 8,
    });
    expect(await value('How records become samples')).toBe('packed');
    await page.getByLabel('Samples, at most').fill('1e');
    expect(await submit()).toEqual([
      'Please check the marked fields.',
      'expected a whole number, found 1e',
    ]);
    await page.getByLabel('Samples, at most').fill('0');
    const [all, atSamples] = (await submit()) as string[];
    expect(all).toContain('batch_size');
    expect(atSamples).toContain('1');
    await page.getByLabel('Fields of the request that this form').fill('');
    await page.getByLabel('Samples, at most').fill('8');
    expect(await submit()).toContainEqual(expect.stringContaining('1…16'));
    expect(await layer().getAttribute('aria-invalid')).toBe('true');
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-path')))
      .toBe('saes[0].layer');
  });

  it('edits an earlier request and runs it again, by its name, tags and every field', async () => {
    const { id } = await client.evaluate(
      smallRequest({
        model: 'tiny-llama',
        dataset: { path: 'eval', maxSamples: 4, seqLen: 16, shuffle: 7 },
        saes: [{ kind: 'TopK', checkpoint: 'TopK_L12_K64.pt', label: 'mine' }],
        name: 'first',
        tags: ['a'],
        metadata: { commit: '1a2b' },
      }),
      { wait: true },
    );
    await page.goto(`${server.url}/#/evaluations/${id}`);
    await page.getByRole('link', { name: 'Edit and rerun' }).click();
    await page.getByRole('heading', { name: 'Edit and rerun: first' }).waitFor();
    expect(await value('Seed that shuffles')).toBe('7');
    await page.getByLabel('Name', { exact: true }).fill('second');
    await page.getByLabel('Tags').fill('a, b');
    await page.getByLabel('k instead of').fill('8, 16');
    await page.getByLabel('Metadata').fill('commit: 3c4d\nlab: x');
    await page.getByLabel('Seed that shuffles').fill('');
    const record = (await submit()) as EvaluationRecord;
    expect(record.request).toMatchObject({
      name: 'second',
      tags: ['a', 'b'],
      inferK: [8, 16],
      metadata: { commit: '3c4d', lab: 'x' },
      dataset: { maxSamples: 4 },
      saes: [{ label: 'mine', layer: 12, k: 64 }],
    });
    expect(record.request.dataset.shuffle).toBeUndefined();
    expect(record.rerunOf).toBe(id);
    await page.getByRole('heading', { name: 'second' }).waitFor();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.waitForURL((url) => !url.href.endsWith(record.id));
    const again = await client.get(page.url().split('/').at(-1)!);
    expect(again).toMatchObject({ request: record.request, rerunOf: record.id });
  });

  it('adds all SAEs of a folder, with what their files say and what they leave open', async () => {
    await choose('unnamed.pt');
    await page.getByRole('button', { name: 'Add all SAEs of a folder' }).click();
    await page.getByLabel('Folder').fill('steps');
    await page.getByText('2 SAEs', { exact: true }).waitFor();
    expect(await page.locator('.files li').allInnerTexts()).toEqual([
      expect.stringMatching(/TopK_L12_step_100\.pt\s+TopK, layer 12/),
      expect.stringMatching(/TopK_L12_step_200\.pt\s+TopK, layer 12/),
    ]);
    await page.locator('#all-k').fill('32');
    await picture('form', page);
    await page.getByRole('button', { name: 'Add 2 SAEs' }).click();
    expect((await request()).saes.slice(1)).toEqual(
      ['100', '200'].map((label) => ({
        checkpoint: `steps/TopK_L12_step_${label}.pt`,
        kind: 'TopK',
        k: 32,
        label,
      })),
    );
    await page.getByRole('button', { name: 'Remove SAE 1' }).click();
    expect(await submit()).toMatchObject({ request: { saes: [{ layer: 12 }, { layer: 12 }] } });
  });

  it('asks nothing of other servers and has no faults', () => {
    expect(watched).toEqual({ outside: [], faults: [] });
  });
});
