/** The error of a path that leads nowhere. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { missingPath } from '#src/missing-path.js';

const folder = mkdtempSync(join(tmpdir(), 'sae-eval-missing-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'checkpoints'));
mkdirSync(join(folder, 'empty'));
for (const name of ['TopK_tiny.pt', 'Gated_tiny.pt', '.hidden'])
  writeFileSync(join(folder, 'checkpoints', name), '');

const said = (path: string, options: Parameters<typeof missingPath>[1] = {}): string =>
  missingPath(path, options).message.replaceAll(folder, 'F');

it('names what was probably meant, else what lies beside it', () => {
  expect(said(join(folder, 'checkpoints/TopK.pt'))).toBe(
    'F/checkpoints/TopK.pt: there is no such file or folder; did you mean ' +
      'F/checkpoints/TopK_tiny.pt?',
  );
  expect(said(join(folder, 'checkpoints/x'), { what: 'file' })).toBe(
    'F/checkpoints/x: there is no such file; F/checkpoints has Gated_tiny.pt, TopK_tiny.pt',
  );
  expect(said(join(folder, 'empty/x'))).toContain('; F/empty is empty');
});

it('names the first part of the path that is not there', () => {
  expect(said(join(folder, 'checkpoint/TopK_tiny.pt'))).toBe(
    'F/checkpoint/TopK_tiny.pt: there is no such file or folder: F has no checkpoint; did you ' +
      'mean F/checkpoints?',
  );
  expect(said(join(folder, 'elsewhere/a/b'))).toMatch(/: F has no elsewhere$/);
  expect(said(join(folder, 'checkpoints/TopK_tiny.pt/x'))).toContain('TopK_tiny.pt is no folder');
});

it('gives the command for what may be a repository of the hub', () => {
  expect(said('org/model-7b@v1', { hub: 'model' })).toContain(
    'Nothing is downloaded: if it is on the Hugging Face hub, fetch it first with ' +
      '`hf download org/model-7b --revision v1`',
  );
  expect(said('some-model', { hub: 'model' })).toContain('`hf download some-model`');
  expect(said('https://huggingface.co/gpt2', { hub: 'model' })).not.toContain('hf download');
  expect(said('org/texts', { hub: 'dataset' })).toContain(
    '`hf download org/texts --repo-type dataset`',
  );
  expect(said('org/saes', { hub: 'SAE' })).toContain('`hf download org/saes`');
  expect(said('org/saes@v2:layer_1/x y', { hub: 'SAE' })).toContain(
    "`hf download org/saes --revision v2 --include 'layer_1/x y/*'`",
  );
});

it('takes no path for such a repository', () => {
  for (const path of ['saes', 'org/a/b', 'org/a.pt', './a', '/a/b', 'org/a.safetensors', 'src/x'])
    expect(said(path, { hub: 'SAE' }), path).not.toContain('hf download');
});
