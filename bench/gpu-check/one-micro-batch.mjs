/**
 * `one-micro-batch.mjs DEVICE FILE`, with the counter of runtime calls loaded before: writes the
 * counts of a run's last micro-batch to FILE.micro-batch. A run waits for the device after each
 * batch, at which the counter adds a line to FILE.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { run } from '../../dist/src/evaluation/run/run.js';
import { demoRequest } from '../../dist/src/cli/demo-request.js';

const [, , device, file] = process.argv;
const settings = readFileSync(new URL('micro-batch.json', import.meta.url), 'utf8');
const { dataset, batchSize } = JSON.parse(settings).request;
const demo = demoRequest();

await run(
  { ...demo, dataset: { ...demo.dataset, ...dataset }, batchSize, device },
  {
    onBatch: () => {
      if (!existsSync(file)) return;
      const [last] = readFileSync(file, 'utf8').trim().split('\n').slice(-1);
      writeFileSync(`${file}.micro-batch`, last);
    },
  },
);
