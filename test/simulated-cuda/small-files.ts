/** A language model, an SAE and a text that load in no time: for tests of processes. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#src/torch/setup/paths.js';
import { golden } from '../golden/load.js';
import { safetensorsOf } from '../hostile/checkpoint-files.js';

/** Numbers between −1 and 1 that look random. */
const noise = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(97 * i * i + i));

function writeSae(file: string, { m, d }: { m: number; d: number }): void {
  const shapes = {
    'encoder.weight': [m, d],
    'decoder.weight': [d, m],
    pre_bias: [d],
    latent_bias: [m],
  };
  let at = 0;
  const header = Object.entries(shapes).map(([name, shape]) => {
    const from = at;
    at += 4 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [from, at] }];
  });
  const values = Buffer.from(noise(at / 4).buffer);
  writeFileSync(file, Buffer.concat([safetensorsOf(Object.fromEntries(header)), values]));
}

/** Writes `model` (4 blocks, d = 48), `sae.safetensors` (TopK) and `text.jsonl` into a folder. */
export function writeSmallFiles(folder: string, { records }: { records: number }): void {
  const model = join(folder, 'model');
  mkdirSync(model);
  for (const name of ['config.json', 'model.safetensors'])
    cpSync(golden(`models/gpt2/${name}`), join(model, name));
  cpSync(golden('models-tokenizers/unigram'), model, { recursive: true });
  writeSae(join(folder, 'sae.safetensors'), { m: 64, d: 48 });
  const lines = readFileSync(join(packageRoot, 'checkpoints/eval/eval.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const text = Array.from({ length: records }, (_, i) => lines[i % lines.length]);
  writeFileSync(join(folder, 'text.jsonl'), text.join('\n'));
}
