/** The same evaluation by the PyTorch scripts (bench/pytorch_evaluator.py) on the same device. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { batchSize, folderOf, resultFile, saesOf, shapeOf } from '../billion.mjs';
import { expect, skip } from '../checks.mjs';
import { outputOf } from '../programs.mjs';

/** Relative difference that bfloat16 may make. */
const most = 0.05;

function scripts(settings) {
  const { root, python, device, simulated } = settings;
  const { seqLen, samples } = shapeOf(settings);
  const printed = outputOf(python, [
    ...[join(root, 'bench/pytorch_evaluator.py'), 'evaluate', '--dtype', 'bfloat16'],
    ...['--model', join(folderOf(settings), 'model'), '--data', join(root, 'checkpoints/eval')],
    ...['--seq-len', String(seqLen), '--max-samples', String(samples)],
    ...['--batch-size', String(batchSize), '--saes', JSON.stringify(saesOf(settings))],
    ...['--device', simulated ? 'cpu' : device],
  ]);
  return JSON.parse(printed);
}

/** The largest relative difference from the scripts' numbers, and its name. */
function differenceFrom(theirs, ours) {
  let found = { off: 0, name: 'none' };
  for (const { kind, reference } of ours.results)
    for (const metric of ['NormMSE', 'KLDiv']) {
      const wanted = theirs.results[kind][metric];
      if (typeof wanted !== 'number') continue;
      const off = Math.abs(reference[metric] / wanted - 1);
      if (!(off <= found.off)) found = { off, name: `${kind} ${metric}` };
    }
  return found;
}

export const checks = (settings) => [
  {
    name: '1B in bfloat16 by the PyTorch scripts',
    body: () => {
      const file = resultFile(settings, 'bfloat16');
      if (!existsSync(file)) skip('there is no result to compare with');
      const ours = JSON.parse(readFileSync(file, 'utf8'));
      const theirs = scripts(settings);
      const { off, name } = differenceFrom(theirs, ours);
      const text = `numbers differ by ${(100 * off).toFixed(3)} % at most (${name})`;
      expect(off <= most, `${text}, allowed are ${100 * most} %`);
      const { total, startup } = theirs.seconds;
      const tokens = (ours.data.realTokens + ours.data.paddedTokens) / (total - startup);
      const peak = theirs.devicePeakBytes;
      const memory = peak === undefined ? '' : `, peak ${(peak / 2 ** 30).toFixed(2)} GiB`;
      return `${tokens.toFixed(0)} tokens/s, ${(total - startup).toFixed(1)} s${memory}; ${text}`;
    },
  },
];
