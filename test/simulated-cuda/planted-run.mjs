/**
 * A small evaluation of the eight kinds on a simulated device, by the build in a folder: prints its
 * values and the counts as JSON. `node planted-run.mjs FOLDER SIMULATED_CUDA`
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [folder, addon] = process.argv.slice(2);
const cuda = createRequire(import.meta.url)(addon);
const load = (path) => import(join(folder, 'dist/src', path));
const { run } = await load('evaluation/run/run.js');
const { demoRequest } = await load('cli/demo-request.js');

const request = demoRequest();
request.dataset = { ...request.dataset, seqLen: 32, maxSamples: 3 };
request.device = 'cuda:1';
let loading;
const { results, status } = await run(request, {
  onLoaded: () => {
    loading = JSON.parse(cuda.counts());
    cuda.reset();
  },
});
const running = JSON.parse(cuda.counts());
const values = results.map(({ label, error, reference, strict, perLayer }) => ({
  label,
  error,
  reference,
  strict,
  perLayer,
}));
console.log(JSON.stringify({ status, values, loading, running }));
