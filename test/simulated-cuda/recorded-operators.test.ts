/**
 * The operators that evaluations ask of a device, for `npm run test:cuda-build`: it sets
 * SAE_EVAL_RECORDED_OPERATORS to the file that they are written to, and asks the CUDA build's
 * dispatcher for each. Without that variable there is nothing to do.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { demoRequest } from '#src/cli/demo-request.js';
import { run } from '#src/evaluation/run/run.js';
import { loadLanguageModel } from '#src/lm/index.js';
import { operatorSchemas } from '#src/torch/index.js';
import { forward, readTensors, root } from '../lm/reference.js';
import { simulatedCuda } from './device.js';

const file = process.env['SAE_EVAL_RECORDED_OPERATORS'];
const device = 'cuda:1';
const dtypes = ['float32', 'bfloat16', 'float16'] as const;

const models = ['models', 'models-odd'].flatMap((of) =>
  readdirSync(`${root}test/golden/${of}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${root}test/golden/${of}/${name}`),
);

it.runIf(file !== undefined)(
  'are those of the demo and of every language model in three dtypes',
  async () => {
    const cuda = await simulatedCuda();
    cuda.reset();
    const { dataset } = demoRequest();
    for (const dtype of dtypes)
      await run({
        ...demoRequest(),
        dataset: { ...dataset, seqLen: 64, maxSamples: 2 },
        ...{ device, dtype, saeDtype: dtype },
      });
    const names = (): string[] =>
      // The allocator's own counts are no operators and have no namespace.
      Object.keys(cuda.counts().byOperator).filter((name) => name.includes('::'));
    const ofDemo = names().length;
    for (const folder of models)
      for (const dtype of dtypes) {
        const model = await loadLanguageModel(folder, { device, dtype });
        const expected = await readTensors(`${folder}/expected.safetensors`);
        const lengths = expected.get('attention_mask')!.sum([1]).toArray() as number[];
        const ids = expected.get('input_ids')!.to({ device });
        const { states } = forward(model, ids, lengths);
        for (const tensor of [...states.values(), ...expected.values(), ids]) tensor.dispose();
        model.dispose();
      }
    const recorded = names().sort();
    expect(recorded.length).toBeGreaterThan(ofDemo);
    const known = new Set(operatorSchemas().map((schema) => schema.slice(0, schema.indexOf('('))));
    expect(recorded.filter((name) => !known.has(name))).toEqual([]);
    writeFileSync(file!, `${JSON.stringify(recorded, null, 2)}\n`);
  },
  1_200_000,
);
