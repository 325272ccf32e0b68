/**
 * `npm run bench`: what an evaluation costs here against plain PyTorch scripts, measured side by
 * side in one run on one machine.
 *
 * Results go to bench/results/bench.json and, as tables, to docs/internals/bench.md, by machine;
 * other machines and sections that are not run keep what they had. PyTorch and transformers are
 * installed from pip into a throw-away folder unless --python names one that has them.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernels, versions } from '../dist/src/torch/index.js';
import { longTexts, manySaes } from './growth.mjs';
import { bestMatmul, compareKernels } from './kernels.mjs';
import { writeTables } from './tables.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const evaluator = join(root, 'bench/pytorch_evaluator.py');
const usage = `npm run bench -- [--sections shipped,gpt2,large,peak,scaling,many,long,kernels]
  [--samples N] [--runs bfloat16,report,hooks,single,apart] [--python PYTHON] [--work DIR]`;
const options = readOptions();

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        sections: { type: 'string', default: 'kernels,peak,shipped,gpt2,scaling,many,long,large' },
        samples: { type: 'string', default: '32' },
        runs: { type: 'string', default: 'bfloat16,report,hooks,single,apart' },
        python: { type: 'string' },
        work: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (!values.help) return values;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  }
}

const sections = new Set(options.sections.split(','));
const work = options.work ?? mkdtempSync(join(tmpdir(), 'sae-eval-bench-'));
mkdirSync(work, { recursive: true });
const resultsFile = join(root, 'bench/results/bench.json');
const machine =
  `${cpus()[0].model.trim()} with ` +
  `${versions().cpu}${kernels.hasBfloat16Unit() ? ' and AMX' : ''}, ${cpus().length} ` +
  `processors, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};

function record(section, measured) {
  (results[machine] ??= {})[section] = { ...measured, date: new Date().toISOString().slice(0, 10) };
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  writeTables(results, join(root, 'docs/internals/bench.md'));
}

let pythonPath = options.python;
function python() {
  if (pythonPath !== undefined) return pythonPath;
  const folder = join(work, 'venv');
  console.error('installing PyTorch and transformers into a throw-away folder');
  run('python3', ['-m', 'venv', folder]);
  run(join(folder, 'bin/pip'), ['install', '-q', 'torch==2.13.0', 'transformers', 'numpy']);
  return (pythonPath = join(folder, 'bin/python'));
}

function run(command, args, { env = {} } = {}) {
  const done = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  if (done.status !== 0)
    throw new Error(
      `${command} ${args.slice(0, 3).join(' ')} ended with ${done.status ?? done.signal}`,
    );
  return done.stdout;
}

/** Ours, as a user runs it: a fresh process, start-up included. */
function ours(request) {
  const out = mkdtempSync(join(work, 'ours-'));
  const file = join(out, 'request.json');
  writeFileSync(file, JSON.stringify({ device: 'cpu', ...request }));
  const started = performance.now();
  run(process.execPath, [join(root, 'dist/src/cli/main.js'), 'evaluate', file, '--out', out]);
  const seconds = (performance.now() - started) / 1000;
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
  rmSync(out, { recursive: true });
  return {
    seconds,
    computing: report.timing.seconds,
    peakBytes: report.memory.peakBytes,
    tokens: report.data.realTokens + report.data.paddedTokens,
    report,
  };
}

function scripts(request, { apart = false } = {}) {
  const { model, dataset, saes, batchSize } = request;
  const args = [
    evaluator,
    'evaluate',
    '--model',
    model,
    '--data',
    dataset.path,
    '--seq-len',
    String(dataset.seqLen),
    '--max-samples',
    String(dataset.maxSamples),
    '--batch-size',
    String(batchSize),
    '--threads',
    String(cpus().length),
    '--saes',
    JSON.stringify(saes),
    ...(apart ? ['--process-per-metric'] : []),
  ];
  const started = performance.now();
  const printed = JSON.parse(run(python(), args));
  return {
    seconds: (performance.now() - started) / 1000,
    peakBytes: printed.peakBytes,
    results: printed.results,
  };
}

const hookedBatch = 16;

/** Three forward passes for each SAE and batch, with hooks on transformers. */
function hooked({ model, dataset, saes }) {
  const one = saes.filter(({ layer }) => layer !== undefined);
  const started = performance.now();
  const printed = JSON.parse(
    run(python(), [
      join(root, 'bench/hooked_evaluator.py'),
      ...['--model', model, '--data', dataset.path, '--saes', JSON.stringify(one)],
      ...['--seq-len', String(dataset.seqLen), '--max-samples', String(dataset.maxSamples)],
      ...['--threads', String(cpus().length), '--batch-size', String(hookedBatch)],
    ]),
  );
  const seconds = (performance.now() - started) / 1000;
  return { saes: one.length, seconds, peakBytes: printed.peakBytes, results: printed.results };
}

/** Hooks on transformers, and ours for the same SAEs with SAEBench's metrics and batches. */
function besideHooks(request) {
  const theirs = hooked(request);
  const saes = request.saes.filter(({ layer }) => layer !== undefined);
  const done = ours({ ...request, saes, protocol: ['saebench'], batchSize: hookedBatch });
  let largest = 0;
  for (const result of done.report.results) {
    const [mine] = Object.entries(result)
      .find(([name]) => name.startsWith('saebench@'))
      .slice(1);
    for (const [name, wanted] of Object.entries(theirs.results[result.kind]))
      largest = Math.max(largest, Math.abs(mine[name] - wanted) / Math.abs(wanted));
  }
  return {
    hooked: theirs,
    likeHooked: { seconds: done.seconds, peakBytes: done.peakBytes },
    hookedDeviation: largest,
  };
}

const pick = ({ seconds, computing, peakBytes, tokens }) => ({
  seconds,
  computing,
  peakBytes,
  tokens,
});

async function plan(request) {
  const { explain } = await import('../dist/src/evaluation/run/plan/explain.js');
  return (await explain({ device: 'cpu', ...request })).plan;
}

/** Largest relative deviation of our `reference` numbers from the scripts'. */
function deviation(report, theirs) {
  let largest = 0;
  for (const { kind, reference } of report.results) {
    for (const metric of ['NormMSE', 'KLDiv']) {
      const wanted = theirs[kind]?.[metric];
      if (typeof wanted === 'number')
        largest = Math.max(largest, Math.abs(reference[metric] - wanted) / Math.abs(wanted));
    }
  }
  return largest;
}

const shipped = join(root, 'checkpoints');
const eight = ({ folder, suffix, L, k }) => {
  const at = (kind, rest) => ({ kind, checkpoint: join(folder, `${kind}${suffix}.pt`), ...rest });
  return [
    at('TopK', { layer: L, k }),
    at('RouteSAE', { k }),
    at('MLSAE', { k }),
    at('Vanilla', { layer: L }),
    at('Gated', { layer: L }),
    at('JumpReLU', { layer: L }),
    at('Crosscoder', {}),
    { kind: 'RandomK', checkpoint: join(folder, `TopK${suffix}.pt`), k },
  ];
};
const smallRequest = (over = {}) => ({
  model: join(shipped, 'tiny-llama'),
  dataset: { path: join(shipped, 'eval'), seqLen: 256, maxSamples: Number(options.samples) },
  saes: eight({ folder: shipped, suffix: '_tiny', L: 16, k: 16 }),
  batchSize: 64,
  ...over,
});
const scriptsAsk = { protocol: ['reference'], metrics: ['NormMSE', 'KLDiv'] };

if (sections.has('kernels')) record('kernels', await compareKernels());
if (sections.has('peak')) record('peak', await bestMatmul());

if (sections.has('shipped')) {
  const request = smallRequest();
  const whole = ours(request);
  const same = ours({ ...request, ...scriptsAsk });
  const single = scripts(request);
  const apart = scripts(request, { apart: true });
  record('shipped', {
    samples: Number(options.samples),
    ours: pick(whole),
    oursReference: pick(same),
    single: { seconds: single.seconds, peakBytes: single.peakBytes },
    apart: { seconds: apart.seconds, peakBytes: apart.peakBytes },
    ...besideHooks(request),
    deviation: deviation(same.report, single.results),
    flopsPerToken: (await plan(request)).flopsPerToken,
    peak: await bestMatmul(),
  });
}

if (sections.has('gpt2')) {
  const folder = join(work, 'gpt2-small-size');
  if (!existsSync(join(folder, 'Crosscoder.pt'))) {
    mkdirSync(folder, { recursive: true });
    const args = ['--tokenizer', join(shipped, 'tiny-llama'), '--latents', '6144'];
    run(python(), [evaluator, 'make', '--shape', 'gpt2-small-size', '--out', folder, ...args]);
  }
  const request = smallRequest({
    model: join(folder, 'model'),
    dataset: { path: join(shipped, 'eval'), seqLen: 256, maxSamples: 8 },
    saes: eight({ folder, suffix: '', L: 12, k: 32 }),
  });
  const whole = ours(request);
  const same = ours({ ...request, ...scriptsAsk });
  const single = scripts(request);
  const beside = besideHooks(request);
  record('gpt2', {
    samples: 8,
    ours: { seconds: whole.seconds, peakBytes: whole.peakBytes },
    oursReference: { seconds: same.seconds, peakBytes: same.peakBytes },
    single: { seconds: single.seconds, peakBytes: single.peakBytes },
    ...beside,
    deviation: deviation(same.report, single.results),
    computing: same.computing,
    tokens: same.tokens,
    flopsPerToken: (await plan({ ...request, ...scriptsAsk })).flopsPerToken,
    peak: await bestMatmul(),
  });
}

if (sections.has('many'))
  record('many', manySaes({ ours, work, shipped, samples: Number(options.samples) }));
if (sections.has('long')) record('long', longTexts({ ours, work, shipped }));

if (sections.has('scaling')) {
  const repeats = 3;
  const seconds = (request) =>
    Math.min(...Array.from({ length: repeats }, () => ours(request).computing));
  const on = (maxSamples) => ({ path: join(shipped, 'eval'), seqLen: 256, maxSamples });
  const most = 4 * Number(options.samples);
  const samples = [most / 4, most / 2, most].map((maxSamples) => ({
    maxSamples,
    seconds: seconds(smallRequest({ dataset: on(maxSamples) })),
  }));
  const topk = (layer, n) =>
    Array.from({ length: n }, (_, i) => ({
      kind: 'TopK',
      checkpoint: join(shipped, 'TopK_tiny.pt'),
      layer,
      k: 16,
      label: `TopK ${i}`,
    }));
  const counts = [1, 2, 4, 8];
  const lastBlock = counts.map((n) => ({
    saes: n,
    seconds: seconds(smallRequest({ dataset: on(most), saes: topk(16, n) })),
  }));
  const inside = await Promise.all(
    counts.map(async (n) => {
      const request = smallRequest({ dataset: on(most), saes: topk(8, n) });
      return {
        saes: n,
        seconds: seconds(request),
        flopsPerToken: (await plan(request)).flopsPerToken,
      };
    }),
  );
  record('scaling', { samples, lastBlock, inside, repeats, saeSamples: most });
}

if (sections.has('large')) {
  const folder = join(work, 'llama-3.2-1b-shape');
  if (!existsSync(join(folder, 'Crosscoder.pt'))) {
    mkdirSync(folder, { recursive: true });
    run(python(), [evaluator, 'make', '--out', folder, '--tokenizer', join(shipped, 'tiny-llama')]);
  }
  const request = {
    model: join(folder, 'model'),
    dataset: { path: join(shipped, 'eval'), seqLen: 512, maxSamples: 2 },
    saes: eight({ folder, suffix: '', L: 16, k: 64 }),
    batchSize: 2,
    ...scriptsAsk,
  };
  const whole = { ...request, protocol: ['reference', 'strict'], metrics: undefined };
  const { flopsPerToken, flopsPerTokenApart } = await plan(request);
  const measured = { flopsPerToken, flopsPerTokenApart, peak: await bestMatmul() };
  measured.reportFlopsPerToken = (await plan(whole)).flopsPerToken;
  const runs = new Set(options.runs.split(','));
  const float32 = ours(request);
  record('large', Object.assign(measured, { float32: pick(float32) }));
  if (runs.has('bfloat16')) {
    const inFloat32 = Object.fromEntries(
      float32.report.results.map(({ kind, reference }) => [kind, reference]),
    );
    const bfloat16 = ours({ ...request, dtype: 'bfloat16' });
    const bfloat16Saes = ours({ ...request, dtype: 'bfloat16', saeDtype: 'bfloat16' });
    record(
      'large',
      Object.assign(measured, {
        bfloat16: pick(bfloat16),
        bfloat16Deviation: deviation(bfloat16.report, inFloat32),
        bfloat16Saes: pick(bfloat16Saes),
        bfloat16SaesDeviation: deviation(bfloat16Saes.report, inFloat32),
      }),
    );
  }
  if (runs.has('report')) {
    const float32Report = pick(ours(whole));
    const bfloat16Report = pick(ours({ ...whole, dtype: 'bfloat16' }));
    record('large', Object.assign(measured, { float32Report, bfloat16Report }));
  }
  if (runs.has('hooks')) record('large', Object.assign(measured, besideHooks(request)));
  for (const [name, how] of [
    ['apart', { apart: true }],
    ['single', {}],
  ]) {
    if (!runs.has(name)) continue;
    const theirs = scripts(request, how);
    record(
      'large',
      Object.assign(measured, {
        [name]: { seconds: theirs.seconds, peakBytes: theirs.peakBytes },
        deviation: deviation(float32.report, theirs.results),
      }),
    );
  }
}

if (options.work === undefined) rmSync(work, { recursive: true });
console.error('wrote bench/results/bench.json and docs/internals/bench.md');
