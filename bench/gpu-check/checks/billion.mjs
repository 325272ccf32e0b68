/** A model of a billion parameters with four SAEs: tokens per second and memory. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../dist/src/evaluation/run/run.js';
import { folderOf, kinds, requestOf, resultFile, shapeOf } from '../billion.mjs';
import { expect, secondsSince, skip } from '../checks.mjs';
import { outputOf, requireModules } from '../programs.mjs';

function makeFiles(settings) {
  const { root, python, device, simulated } = settings;
  const { shape, latents } = shapeOf(settings);
  requireModules(python, ['torch', 'transformers']);
  outputOf(python, [
    ...[join(root, 'bench/pytorch_evaluator.py'), 'make', '--shape', shape],
    ...['--latents', String(latents), '--out', folderOf(settings), '--kinds', kinds.join()],
    ...['--tokenizer', join(root, 'checkpoints/tiny-llama')],
    ...['--device', simulated ? 'cpu' : device],
  ]);
}

async function evaluate(settings, dtype, samples) {
  if (!existsSync(join(folderOf(settings), 'model'))) skip('its files were not made');
  const started = performance.now();
  let loading = 0;
  const result = await run(requestOf(settings, { dtype, samples }), {
    onLoaded: () => {
      loading = secondsSince(started);
    },
  });
  const failed = result.results.find(({ error }) => error !== null);
  expect(failed === undefined, `${failed?.label}: ${failed?.error?.message}`);
  writeFileSync(resultFile(settings, dtype), JSON.stringify(result));
  const seconds = secondsSince(started) - loading;
  const { data, memory, config } = result;
  const tokens = (data.realTokens + data.paddedTokens) / seconds;
  return [
    `${tokens.toFixed(0)} tokens/s, ${seconds.toFixed(1)} s`,
    `loading ${loading.toFixed(1)} s`,
    `peak ${(memory.devicePeakBytes / 2 ** 30).toFixed(2)} GiB`,
    `micro-batch ${JSON.stringify(config.microBatch)}`,
  ].join(', ');
}

export const checks = (settings) => {
  const { samples } = shapeOf(settings);
  return [
    { name: 'files of a billion parameters', body: () => makeFiles(settings) },
    { name: '1B in bfloat16, the first time', body: () => evaluate(settings, 'bfloat16', samples) },
    { name: '1B in bfloat16, again', body: () => evaluate(settings, 'bfloat16', samples) },
    { name: '1B in float32', body: () => evaluate(settings, 'float32', samples / 2) },
  ];
};
