/**
 * The form, driven in a real browser: its fields come from the file, nothing is guessed, and the
 * file's own values are evaluated.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningServer } from '#server/main.js';
import { SaeEvalClient, type CheckpointEntry, type EvaluationRecord } from '#src/client/index.js';
import { packageRoot, serve, temporaryFolder, untilReady } from '../harness.js';

const executable = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));
const shipped = join(packageRoot, 'checkpoints');

describe.skipIf(executable === undefined)('the form', () => {
  const folder = temporaryFolder();
  const own = join(folder.path, 'own');
  let server: RunningServer;
  let client: SaeEvalClient;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    mkdirSync(own);
    copyFileSync(join(shipped, 'TopK_tiny.pt'), join(own, 'TopK_L12_K64.pt'));
    copyFileSync(join(shipped, 'TopK_tiny.pt'), join(own, 'unnamed.pt'));
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
    browser = await chromium.launch({
      executablePath: executable!,
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    folder.remove();
  });

  async function choose(checkpoint: string, model = 'tiny-llama'): Promise<void> {
    await page.goto(`${server.url}/#/`);
    await page.getByRole('heading', { name: 'Evaluations' }).waitFor();
    await page.goto(`${server.url}/#/new`);
    await page.getByLabel('Language model').selectOption(model);
    await page.getByLabel('Text', { exact: true }).selectOption('eval');
    await page.getByLabel('Samples, at most').fill('8');
    await page.getByLabel('Tokens per sample').fill('16');
    await page.getByLabel('Checkpoint').selectOption(checkpoint);
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
  const sent = async (): Promise<unknown> =>
    (JSON.parse((await page.locator('form pre').textContent())!) as { saes: unknown[] }).saes[0];

  it('evaluates TopK_L12_K64.pt with the layer and k in its name', async () => {
    await choose('TopK_L12_K64.pt');
    expect(await value('Kind')).toBe('TopK');
    expect(await value('Layer')).toBe('12');
    expect(await page.getByLabel('k', { exact: true }).inputValue()).toBe('64');
    const record = (await submit()) as EvaluationRecord;
    expect(record.request.saes).toMatchObject([{ kind: 'TopK', layer: 12, k: 64 }]);
    await page.locator('.pill.succeeded').waitFor({ timeout: 60_000 });
    const { result } = await client.get(record.id);
    expect(result?.results).toMatchObject([{ kind: 'TopK', layer: 12, k: 64, error: null }]);
  });

  it('guesses nothing: kind, layer and k of a nameless file must be chosen', async () => {
    await choose('unnamed.pt');
    expect(await value('Kind')).toBe('');
    expect(await sent()).toEqual({ checkpoint: 'unnamed.pt' });
    expect(await submit()).toEqual(['Please check the marked fields.', 'must be given']);
    await page.getByLabel('Kind').selectOption('TopK');
    expect(await value('Layer')).toBe('');
    await page.getByLabel('Kind').selectOption('MLSAE');
    expect(await page.getByLabel('Layer').count()).toBe(0);
    await page.getByLabel('k (required)', { exact: true }).fill('16');
    expect(await sent()).toEqual({ checkpoint: 'unnamed.pt', kind: 'MLSAE', k: 16 });
    expect(await submit()).toMatchObject({ request: { saes: [{ kind: 'MLSAE', k: 16 }] } });
  });

  it('sends a value of the file only if it was changed', async () => {
    await choose('saelens-topk/sae_weights.safetensors');
    expect(await page.getByLabel('k', { exact: true }).inputValue()).not.toBe('');
    const checkpoint = await value('Checkpoint');
    expect(await sent()).toEqual({ checkpoint });
    await page.getByLabel('Layer').fill('3');
    expect(await sent()).toEqual({ checkpoint, layer: 3 });
  });

  it('takes a hook point instead of a layer that the file lacks', async () => {
    await choose('openai/sae.pt');
    expect(await submit()).toEqual(['Please check the marked fields.', 'must be given']);
    const hook = 'model.layers.5.mlp.output';
    await page.getByLabel('Hook point').fill(hook);
    expect(await submit()).toMatchObject({ request: { saes: [{ hook }] } });
  });

  it('requires a scale that the file lacks', async () => {
    await choose('saelens-scale/sae_weights.safetensors');
    expect(await page.getByLabel('Scale').getAttribute('required')).toBe('');
    expect(await submit()).toEqual(['Please check the marked fields.', 'must be given']);
    await page.getByLabel('Scale').fill('0.5');
    expect(await submit()).toMatchObject({ request: { saes: [{ layer: 10, scale: 0.5 }] } });
  });

  it('says why a file cannot be evaluated, and submits no request for it', async () => {
    await choose('crosscoder/cc_weights.pt');
    const why = 'annot be evaluated: a crosscoder between 2 models';
    expect(await page.locator('.sae').innerText()).toContain(why);
    expect((await submit()) as string[]).toContainEqual(expect.stringContaining(why));
  });

  it('accepts every published SAE that needs nothing and fits a model, untouched', async () => {
    const models = await client.models();
    const needsNothing = ({ choices, kindKnown, obstacle }: CheckpointEntry): boolean =>
      kindKnown &&
      obstacle === null &&
      choices[0]!.fields.every(({ state }) => state !== 'required');
    const accepted: string[] = [];
    for (const entry of (await client.checkpoints()).filter(needsNothing)) {
      const { path, d, choices } = entry;
      const { layer, layers, kind } = choices[0]!;
      const deepest = Math.max(layer ?? 1, ...(layers ?? []));
      const model = models.find((one) => one.width === d && (one.layers ?? 0) >= deepest);
      if (model === undefined) continue;
      await choose(path, model.path);
      expect({ path, got: await submit() }).toMatchObject({
        path,
        got: { request: { saes: [{ checkpoint: path, kind }] } },
      });
      accepted.push(path);
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
});
