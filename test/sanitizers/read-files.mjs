/** Reads files of every format and all their numbers, and copies of them that are cut short. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import { SaeEvalError } from '#src/errors.js';
import { scope } from '#src/torch/index.js';

const work = process.argv[2];
const fixtures = fileURLToPath(new URL('../checkpoint/fixtures/', import.meta.url));
const files = readdirSync(fixtures).filter((name) => /\.(pt|npz|safetensors)$/.test(name));

let [read, refused, tensors] = [0, 0, 0];
async function readAll(path) {
  try {
    const checkpoint = await readCheckpoint(path);
    scope(() => {
      for (const tensor of openTensors(checkpoint).values()) {
        tensors++;
        if (tensor.numel > 0) tensor.to({ dtype: 'float64' }).sum().item();
      }
    });
    read++;
  } catch (thrown) {
    if (!(thrown instanceof SaeEvalError)) throw thrown;
    refused++;
  }
}
for (const name of files) {
  await readAll(join(fixtures, name));
  const bytes = readFileSync(join(fixtures, name));
  for (let eighth = 1; eighth < 8; eighth++) {
    const cut = join(work, `cut${extname(name)}`);
    writeFileSync(cut, bytes.subarray(0, Math.floor((bytes.length * eighth) / 8)));
    await readAll(cut);
  }
}
console.log(`${files.length} files: ${read} read, ${refused} refused, ${tensors} tensors`);
