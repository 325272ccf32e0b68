/**
 * The worked examples of docs/contributing.md, followed to the letter: a copy of the project gets
 * their files and entries, is compiled, and evaluates SAEs of the new kind, in the new format, by
 * the new metric.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadTensors, saveTensors } from '#src/checkpoint/tensor-files.js';
import type { EvaluationResult, SaeResult } from '#src/schema/index.js';
import { full, type Tensor } from '#src/torch/index.js';
import { full as isFull } from '../full.js';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/contributing.md'), 'utf8');
const section = page.slice(page.indexOf('## Worked examples'), page.indexOf('## Glossary'));
const blocks = (language: string): string[] =>
  [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1]!,
  );

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'sae-eval-examples-'));
  for (const name of ['src', 'server', 'package.json', 'tsconfig.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of ['node_modules', 'build', 'checkpoints'])
    symlinkSync(join(root, name), join(copy, name));
});
afterAll(() => rmSync(copy, { recursive: true }));

/** Writes the file of a `ts` block, whose first line names it. */
function writeExample(block: string): void {
  const [first, ...lines] = block.split('\n');
  writeFileSync(join(copy, first!.replace('// ', '')), lines.join('\n'));
}

/** Applies a `diff` block: lines removed are replaced, other lines added become imports. */
function applyDiff(block: string): void {
  const [first, ...lines] = block.trimEnd().split('\n');
  const path = join(copy, first!.replace(/^ ?\/\/ /, ''));
  let text = readFileSync(path, 'utf8');
  const at = lines.findIndex((line) => line.startsWith('-'));
  const removed = lines[at]!.slice(1);
  const added = lines.slice(at + 1).map((line) => line.slice(1));
  expect(text.split(`${removed}\n`), removed).toHaveLength(2);
  text = text.replace(`${removed}\n`, () => `${added.join('\n')}\n`);
  const imports = lines.slice(0, at).map((line) => line.slice(1));
  writeFileSync(
    path,
    text.replace(/^import /m, () => `${imports.join('\n')}\nimport `),
  );
}

async function writeSaes(folder: string): Promise<void> {
  const vanilla = await loadTensors(join(root, 'checkpoints/Vanilla_tiny.pt'));
  const [m] = vanilla.get('encoder.weight')!.shape as [number];
  for (const [name, gain] of [
    ['unit', 0],
    ['double', Math.LN2],
  ] as const)
    await saveTensors(
      join(folder, `${name}.safetensors`),
      Object.fromEntries([...vanilla, ['log_gain', full([m], gain)]]),
    );
  const weights: [theirs: string, toy: string, tensor: Tensor][] = [
    ['W_enc', 'W_in', vanilla.get('encoder.weight')!.t().contiguous()],
    ['W_dec', 'W_out', vanilla.get('decoder.weight')!.t().contiguous()],
    ['b_enc', 'b_in', vanilla.get('latent_bias')!],
    ['b_dec', 'b_out', vanilla.get('pre_bias')!],
  ];
  const hook = 'blocks.7.hook_resid_post';
  for (const name of ['toy', 'saelens']) mkdirSync(join(folder, name));
  await saveTensors(
    join(folder, 'toy/toy.safetensors'),
    Object.fromEntries(weights.map(([, toy, tensor]) => [toy, tensor])),
  );
  writeFileSync(join(folder, 'toy/toy.json'), JSON.stringify({ hook }));
  await saveTensors(
    join(folder, 'saelens/sae_weights.safetensors'),
    Object.fromEntries(weights.map(([theirs, , tensor]) => [theirs, tensor])),
  );
  const saelens = { architecture: 'standard', d_in: 128, d_sae: m, apply_b_dec_to_input: false };
  writeFileSync(
    join(folder, 'saelens/cfg.json'),
    JSON.stringify({ ...saelens, metadata: { hook_name: hook } }),
  );
}

it.runIf(isFull)(
  'are one file and one entry each',
  async () => {
    for (const block of blocks('ts')) writeExample(block);
    for (const block of blocks('diff')) applyDiff(block);
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', copy], { stdio: 'pipe' });

    const folder = join(copy, 'saes');
    mkdirSync(folder);
    await writeSaes(folder);
    const request = {
      model: join(root, 'checkpoints/tiny-llama'),
      dataset: { path: join(root, 'checkpoints/eval'), maxSamples: 6, seqLen: 32 },
      device: 'cpu',
      saes: [
        { kind: 'Vanilla', checkpoint: join(root, 'checkpoints/Vanilla_tiny.pt'), layer: 8 },
        { checkpoint: join(folder, 'unit.safetensors'), layer: 8 },
        { checkpoint: join(folder, 'double.safetensors'), layer: 8, label: 'Double' },
        { checkpoint: join(folder, 'saelens'), label: 'theirs' },
        { checkpoint: join(folder, 'toy'), label: 'toy' },
      ],
    };
    writeFileSync(join(copy, 'request.json'), JSON.stringify(request));
    const cli = join(copy, 'dist/src/cli/main.js');
    const out = join(copy, 'out');
    execFileSync(process.execPath, [cli, 'evaluate', join(copy, 'request.json'), '--out', out], {
      stdio: 'pipe',
    });

    const result = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as EvaluationResult;
    const [vanilla, unit, double, theirs, toy] = result.results as [
      ...[SaeResult, SaeResult, SaeResult, SaeResult, SaeResult],
    ];
    expect([unit.kind, toy.format]).toEqual(['Gain', 'toy']);
    // A gain of 1 changes nothing, a gain of 2 does.
    expect(unit.strict).toEqual(vanilla.strict);
    expect(double.strict!.NormMSE!.mean).toBeGreaterThan(vanilla.strict!.NormMSE!.mean);
    expect(double.strict!.L0).toEqual(vanilla.strict!.L0);
    expect(toy.strict).toEqual(theirs.strict);
    const largest = (sae: SaeResult): number =>
      (sae.strict as unknown as { MaxError: { mean: number } }).MaxError.mean;
    expect(largest(vanilla)).toBeGreaterThan(0);
    expect(largest(double)).toBeGreaterThan(largest(vanilla));
    expect(readFileSync(join(out, 'report.md'), 'utf8')).toContain('Largest error');
    expect(readFileSync(join(out, 'report.zh.md'), 'utf8')).toContain('最大误差');
  },
  300_000,
);
