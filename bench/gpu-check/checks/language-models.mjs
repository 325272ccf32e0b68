/** Every golden language model in three dtypes against the states of transformers. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCheckpoint } from '../../../dist/src/checkpoint/read.js';
import { openTensors } from '../../../dist/src/checkpoint/tensors.js';
import { loadLanguageModel } from '../../../dist/src/lm/index.js';
import { scope, setInferenceMode } from '../../../dist/src/torch/index.js';
import { expect } from '../checks.mjs';

/**
 * Absolute or relative. float32 sums in another order; half precision through a few random blocks,
 * where the CPU is off as much.
 */
const tolerance = { float32: 1e-4, bfloat16: 0.5, float16: 0.1 };

/** Largest min(|a − b|, |a − b| / |b|) over the real positions; infinite if one is no number. */
function deviation(a, b, lengths) {
  const [found, wanted] = [a, b].map((x) => x.cpu().to({ dtype: 'float64' }));
  const off = found.sub(wanted).abs();
  const smaller = off.minimum(off.div(wanted.abs().clamp_min(1e-30)));
  const largest = lengths.map((length, row) =>
    smaller.select(0, row).narrow(0, 0, length).max().item(),
  );
  return largest.some(Number.isNaN) ? Infinity : Math.max(...largest);
}

/** Largest deviation of the model's states: all of them in float32, else the logits. */
function largestDeviation(model, expected, { device, dtype }) {
  const lengths = expected.get('attention_mask').sum([1]).toArray();
  const context = model.context(lengths, expected.get('input_ids').shape[1]);
  try {
    return scope(() => {
      const states = [];
      let r = model.embed(expected.get('input_ids').to({ device }));
      for (let i = 1; i <= model.layers; i++) {
        r = model.block(i, r, context);
        states.push([`r.${i}`, r]);
      }
      const h = model.finalNorm(r);
      const logits = model.head(h.reshape([-1, model.width]));
      states.push(['h.last', h], ['logits', logits.unflatten(0, [lengths.length, context.T])]);
      const compared = states.filter(
        ([name]) => expected.has(name) && (dtype === 'float32' || name === 'logits'),
      );
      expect(compared.length > 0, 'the fixture has no states');
      return Math.max(...compared.map(([name, x]) => deviation(x, expected.get(name), lengths)));
    });
  } finally {
    context.dispose();
  }
}

async function deviationOf(folder, options) {
  setInferenceMode(true);
  const expected = openTensors(await readCheckpoint(join(folder, 'expected.safetensors')));
  const model = await loadLanguageModel(folder, options);
  try {
    return largestDeviation(model, expected, options);
  } finally {
    model.dispose();
    for (const tensor of expected.values()) tensor.dispose();
  }
}

function folders(root) {
  return ['models', 'models-odd'].flatMap((of) =>
    readdirSync(join(root, 'test/golden', of), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(root, 'test/golden', of, name)),
  );
}

export const checks = ({ device, root }) =>
  folders(root).map((folder) => ({
    name: `language model ${folder.split('/').slice(-2).join('/')}`,
    body: async () => {
      const found = [];
      for (const dtype of Object.keys(tolerance)) {
        const off = await deviationOf(folder, { device, dtype });
        expect(off <= tolerance[dtype], `${dtype}: off by ${off}, at most ${tolerance[dtype]}`);
        found.push(`${dtype} ${off.toExponential(1)}`);
      }
      return found.join(', ');
    },
  }));
