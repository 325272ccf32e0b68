/**
 * How a server holds up while an evaluation runs: 200 clients that poll every 5 s and 50 event
 * streams, from this machine. `npm run bench:server` on a quiet machine writes
 * docs/internals/bench-server.md: the latency of GET /v1/evaluations/:id, what the load does to the
 * evaluation (runs without and with it take turns), and what each process used of the processor.
 * `-- --print` prints it instead; `--samples`, `--tokens` (of each) and `--rounds` (pairs of runs)
 * change how long it takes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SaeEvalClient } from '../dist/src/client/index.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-load-'));
const pollers = 200;
const streams = 50;
const { values: flags } = parseArgs({
  options: {
    samples: { type: 'string', default: '128' },
    tokens: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '4' },
    print: { type: 'boolean', default: false },
  },
});
const maxSamples = Number(flags.samples);
const seqLen = Number(flags.tokens);
const rounds = Number(flags.rounds);
const child = spawn(process.execPath, [join(root, 'dist/server/serve.js')], {
  env: {
    ...process.env,
    SAE_EVAL_PORT: '0',
    SAE_EVAL_ROOTS: root,
    SAE_EVAL_DB: join(folder, 'jobs.db'),
    SAE_EVAL_LOG_LEVEL: 'error',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise((resolve) =>
  child.stdout.on('data', (data) => {
    const found = /listens on (\S+)/.exec(String(data));
    if (found) resolve(found[1]);
  }),
);
const client = new SaeEvalClient(url);
while ((await fetch(`${url}/readyz`)).status !== 200)
  await new Promise((resolve) => setTimeout(resolve, 100));

const request = {
  model: 'checkpoints/tiny-llama',
  dataset: { path: 'checkpoints/eval', maxSamples, seqLen },
  batchSize: 16,
  device: 'cpu',
  saes: [
    { kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 },
    { checkpoint: 'checkpoints/RouteSAE_tiny.pt', k: 16 },
  ],
};
const newKey = () => ({ idempotencyKey: String(Math.random()) });

/** Seconds of processor time that a process has used. */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
const computePid = () =>
  Number.parseInt(
    execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(child.pid)], { encoding: 'utf8' })
      .split('\n')
      .find((line) => line.includes('process/child.js')),
    10,
  );
const usedNow = () => ({
  server: processorSeconds(child.pid),
  compute: processorSeconds(computePid()),
  generator: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
});

const latencies = [];
let failed = 0;
let events = 0;
/**
 * One evaluation, with or without the load: its seconds, and the processor time of each process.
 */
async function evaluated({ load }) {
  const before = usedNow();
  const { id } = await client.evaluate(request, newKey());
  const done = new AbortController();
  setMaxListeners(0, done.signal);
  const watching = Array.from({ length: load ? streams : 1 }, async () => {
    for await (const _ of client.watch(id)) if (load) events += 1;
  });
  const polling = Array.from({ length: load ? pollers : 0 }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, (index / pollers) * 5000));
    while (!done.signal.aborted) {
      const at = performance.now();
      const response = await fetch(`${url}/v1/evaluations/${id}`).catch(() => null);
      if (response?.status !== 200) failed += 1;
      else await response.arrayBuffer();
      latencies.push(performance.now() - at);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 5000);
        done.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  });
  await Promise.all(watching);
  done.abort();
  await Promise.all(polling);
  const after = usedNow();
  const { seconds } = (await client.get(id)).result.timing;
  return {
    seconds,
    ...Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]])),
  };
}

await evaluated({ load: false });
const alone = [];
const loaded = [];
for (let round = 0; round < rounds; round++) {
  alone.push(await evaluated({ load: false }));
  loaded.push(await evaluated({ load: true }));
}
latencies.sort((a, b) => a - b);
const at = (share) =>
  Number(
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))].toFixed(1),
  );
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const mean = (runs, of) => runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
const shown = (value, digits = 1) => value.toFixed(digits);
const cores = (runs, name) =>
  shown(
    mean(runs, (run) => run[name] / run.seconds),
    3,
  );
const slower =
  (median(loaded.map(({ seconds }) => seconds)) / median(alone.map(({ seconds }) => seconds)) - 1) *
  100;
const computeMore =
  (mean(loaded, ({ compute }) => compute) / mean(alone, ({ compute }) => compute) - 1) * 100;
const times = (runs) => runs.map(({ seconds }) => shown(seconds)).join(', ');
const latency = [0.5, 0.99, 1].map((part) => `${at(part)} ms`).join(', ');
const serverCores = `${cores(alone, 'server')}, ${cores(loaded, 'server')}`;
const page = `# Bench of the server

\`npm run bench:server\` writes this page. One evaluation (TopK and RouteSAE on the shipped model,
${maxSamples} samples of ${seqLen} tokens, CPU) is run ${rounds} times alone and ${rounds} times
under load, taking turns. The load: ${pollers} clients that each ask \`GET /v1/evaluations/:id\`
every 5 s, and ${streams} event streams. Server, compute process and the program that makes the load
share the machine: ${cpus().length} × ${cpus()[0].model}, Node ${process.versions.node};
load average at the end ${shown(loadavg()[0])}.

| | |
|---|---|
| requests, of them failed | ${latencies.length}, ${failed} |
| \`GET /v1/evaluations/:id\`: median, 99th percentile, slowest | ${latency} |
| events received | ${events} |
| seconds of the evaluation alone | ${times(alone)} |
| under load | ${times(loaded)} |
| slower by (medians) | ${shown(slower)} % |
| processor time of the compute process, more under load by | ${shown(computeMore)} % |
| cores used by the server, alone and under load | ${serverCores} |
| cores used by the program that makes the load | ${cores(loaded, 'generator')} |

Under load, the server and the program that makes the load take a share of the same
${cpus().length} cores from the evaluation. On a GPU, or with clients on other machines, they take
none.
`;
if (flags.print) process.stdout.write(page);
else writeFileSync(join(root, 'docs/internals/bench-server.md'), page);
child.kill('SIGTERM');
await new Promise((resolve) => child.once('exit', resolve));
rmSync(folder, { recursive: true });
