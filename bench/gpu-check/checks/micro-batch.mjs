/**
 * Calls of a micro-batch to the CUDA runtime: launches, copies, waits. The simulated device has
 * counted the same evaluation (micro-batch.json); a GPU may not copy or wait more often.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, skip } from '../checks.mjs';
import { outputOf } from '../programs.mjs';

const here = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

export const checks = ({ device, work }) => [
  {
    name: 'launches, copies and waits of a micro-batch',
    needsGpu: true,
    body: () => {
      const counter = join(work, 'count-runtime.so');
      const compiler = process.env.CC ?? 'cc';
      const source = here('count-runtime.c');
      outputOf(compiler, ['-shared', '-fPIC', '-O1', '-o', counter, source, '-ldl']);
      const file = join(work, 'runtime-calls.jsonl');
      outputOf(process.execPath, [here('one-micro-batch.mjs'), device, file], {
        env: { LD_PRELOAD: counter, COUNT_RUNTIME: file },
      });
      if (!existsSync(`${file}.micro-batch`)) skip('the runtime was not called by its symbols');
      const found = JSON.parse(readFileSync(`${file}.micro-batch`, 'utf8'));
      const { simulated } = JSON.parse(readFileSync(here('micro-batch.json'), 'utf8'));
      const text = Object.entries(found).map(([name, count]) => `${name} ${count}`);
      const detail = `${text.join(', ')}; simulated: ${JSON.stringify(simulated)}`;
      for (const name of ['copiesToDevice', 'copiesToHost', 'waits'])
        expect(found[name] <= simulated[name], `too many ${name}: ${detail}`);
      return detail;
    },
  },
];
