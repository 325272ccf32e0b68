/** What `sae-eval inspect` prints. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeCheckpoint, renderDescription } from '#src/checkpoint/inspect.js';
import { inferKinds } from '#src/sae/layout.js';
import { safetensorsOf } from '../hostile/checkpoint-files.js';
import { fixture } from './fixtures/path.js';

it('says what a shipped checkpoint is and what must be given with it', async () => {
  const description = await describeCheckpoint(fixture('../../../checkpoints/RouteSAE_tiny.pt'), { inferKinds });
  expect(description).toMatchObject({ format: 'pt-zip', prefix: '', candidates: ['RouteSAE'], needs: ['k, 1…1024'], others: [], values: {} });
  expect(description.tensors.find(({ name }) => name === 'router.weight')).toEqual({ name: 'router.weight', dtype: 'float32', shape: [9, 128] });
  const ambiguous = await describeCheckpoint(fixture('../../../checkpoints/TopK_tiny.pt'), { inferKinds });
  expect(ambiguous.candidates).toEqual(expect.arrayContaining(['TopK', 'Vanilla', 'MLSAE', 'RandomK']));
  expect(ambiguous.needs[0]).toBe('kind');
});

it('renders a training checkpoint as text', async () => {
  const text = renderDescription(await describeCheckpoint(fixture('nested.pt'), { inferKinds }));
  expect(text).toContain("pt-zip, names without 'model.'");
  expect(text).toMatch(/encoder\.weight +float32 +\[6, 4\]/);
  expect(text).toContain('epoch = 7');
  expect(text).toContain('beside it: loss');
  expect(text).toContain('optimizer.state.0.exp_avg');
});

it('prints names that would move the cursor as harmless text', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sae-eval-'));
  try {
    writeFileSync(join(folder, 'file'), safetensorsOf({ 'a\u001b[2Jb': { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4));
    const text = renderDescription(await describeCheckpoint(join(folder, 'file'), { inferKinds }));
    expect(text).not.toContain('\u001b');
    expect(text).toContain('can be: none of the kinds');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
