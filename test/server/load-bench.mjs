/**
 * How a server holds up while an evaluation runs: 200 clients that poll every 5 s and 50 event streams, from this machine.
 * Run by hand on a quiet machine: `node test/server/load-bench.mjs [seconds]`. Prints the latency of GET /v1/evaluations/:id,
 * what the load does to the evaluation, and what the generator itself used of the processor.
 */
import { spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SaeEvalClient } from '../../dist/src/client/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-load-'));
const pollers = 200;
const streams = 50;
const seqLen = Number(process.argv[2] ?? 256);
const child = spawn(process.execPath, [join(root, 'dist/server/serve.js')], { env: { ...process.env, SAE_EVAL_PORT: '0', SAE_EVAL_ROOTS: root, SAE_EVAL_DB: join(folder, 'jobs.db'), SAE_EVAL_LOG_LEVEL: 'error' }, stdio: ['ignore', 'pipe', 'inherit'] });
const url = await new Promise((resolve) => child.stdout.on('data', (data) => { const found = /listens on (\S+)/.exec(String(data)); if (found) resolve(found[1]); }));
const client = new SaeEvalClient(url);
while ((await fetch(`${url}/readyz`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 100));

const request = { model: 'checkpoints/tiny-llama', dataset: { path: 'checkpoints/eval', maxSamples: 5000, seqLen }, batchSize: 16, device: 'cpu', saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 }, { checkpoint: 'checkpoints/RouteSAE_tiny.pt', k: 16 }] };
const computed = async () => (await client.evaluate(request, { wait: true, idempotencyKey: String(Math.random()) })).result.timing.seconds;
await computed();
const alone = [await computed(), await computed()];

const latencies = [];
let failed = 0;
let events = 0;
async function underLoad() {
  const { id } = await client.evaluate(request, { idempotencyKey: String(Math.random()) });
  const done = new AbortController();
  setMaxListeners(0, done.signal);
  const before = process.cpuUsage();
  const started = performance.now();
  const watching = Array.from({ length: streams }, async () => { for await (const _ of client.watch(id)) events += 1; });
  const polling = Array.from({ length: pollers }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, (index / pollers) * 5000));
    while (!done.signal.aborted) {
      const at = performance.now();
      const response = await fetch(`${url}/v1/evaluations/${id}`).catch(() => null);
      if (response?.status !== 200) failed += 1;
      else await response.arrayBuffer();
      latencies.push(performance.now() - at);
      await new Promise((resolve) => { const timer = setTimeout(resolve, 5000); done.signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }); });
    }
  });
  await Promise.all(watching);
  done.abort();
  await Promise.all(polling);
  const { user, system } = process.cpuUsage(before);
  return { seconds: (await client.get(id)).result.timing.seconds, generator: (user + system) / 1e6 / ((performance.now() - started) / 1000) };
}
const loaded = [await underLoad(), await underLoad()];
latencies.sort((a, b) => a - b);
const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))].toFixed(1);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const slower = mean(loaded.map(({ seconds }) => seconds)) / mean(alone) - 1;
console.log(JSON.stringify({ requests: latencies.length, failed, events, p50: at(0.5), p99: at(0.99), max: at(1), aloneSeconds: alone, loadedSeconds: loaded.map(({ seconds }) => seconds), slowerPercent: (slower * 100).toFixed(1), generatorCores: mean(loaded.map(({ generator }) => generator)).toFixed(3) }, null, 2));
child.kill('SIGTERM');
await new Promise((resolve) => child.once('exit', resolve));
rmSync(folder, { recursive: true });
