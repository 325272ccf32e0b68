/**
 * A model that is larger than the memory: a model of Llama-3.2-1B's shape in bfloat16 with random
 * weights, evaluated with all of its weights in memory, and once more under a memory limit below
 * them. Tells whether the numbers have the same bits, the bytes that were read, and the times.
 *
 *   node bench/larger-than-memory.mjs [--shape 1b|small] [--fraction 0.6] [--samples 64]
 *     [--seq-len 128] [--batch-size 16] [--work DIR] [--json]
 *
 * Needs Linux and the right to make a control group with a memory limit; ends with code 3 and the
 * reason if it cannot.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: '1b' },
    fraction: { type: 'string', default: '0.6' },
    samples: { type: 'string', default: '64' },
    'seq-len': { type: 'string', default: '128' },
    'batch-size': { type: 'string', default: '16' },
    work: { type: 'string' },
    json: { type: 'boolean', default: false },
    // Runs a request in this process and prints what it took.
    run: { type: 'string' },
  },
});

/** The numbers of a result, without times and places. */
function digestOf({ results }) {
  return createHash('sha256').update(JSON.stringify(results)).digest('hex');
}

if (options.run !== undefined) {
  const { run } = await import('../dist/src/evaluation/run/run.js');
  const request = JSON.parse(readFileSync(options.run, 'utf8'));
  const notices = [];
  const journal = join(options.work, 'journal');
  const result = await run(request, { journal, onNotice: ({ en }) => notices.push(en) });
  const reads = /^read_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1];
  // What was decided stands in the journal.
  const { readArrayFile } = await import('../dist/src/evaluation/run/array-file.js');
  const { decisions } = JSON.parse(readArrayFile(journal).metadata.content);
  rmSync(journal, { force: true });
  console.log(
    JSON.stringify({
      digest: digestOf(result),
      failed: result.results.filter(({ error }) => error !== null && error !== undefined),
      seconds: result.timing.seconds,
      decisions,
      readBytes: Number(reads),
      notices,
    }),
  );
  process.exit(0);
}

function fail(reason) {
  console.error(`Not measured: ${reason}.`);
  process.exit(3);
}

/** A control group with a memory limit: the files by which one is made, of either version. */
function makeGroup(bytes) {
  const name = `sae-eval-bench-${process.pid}`;
  for (const [parent, limit] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ]) {
    const folder = join(parent, name);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(folder, limit), String(bytes));
      return folder;
    } catch {
      rmdirSync(folder);
    }
  }
  return null;
}

/** Runs the request in a process, in a control group or none. */
function measure(request, group, work) {
  const enter = group === null ? '' : `echo $$ > '${group}/cgroup.procs' && `;
  const script = fileURLToPath(import.meta.url);
  const began = performance.now();
  const { status, signal, stdout, stderr } = spawnSync(
    'sh',
    ['-c', `${enter}exec '${process.execPath}' '${script}' --run '${request}' --work '${work}'`],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  if (status !== 0) {
    throw new Error(`The run ended with ${signal ?? status}: ${stderr}`);
  }
  return { ...JSON.parse(stdout), wall: (performance.now() - began) / 1000 };
}

/** Lets the system forget a file that it keeps in memory. */
function forget(path) {
  spawnSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0']);
}

const { makeRandomLlama, makeRandomSae, shapes } = await import('./random-llama.mjs');
const shape = shapes[options.shape];
if (shape === undefined) fail(`--shape: expected one of ${Object.keys(shapes).join(', ')}`);
const work = options.work ?? mkdtempSync(join(tmpdir(), 'sae-eval-large-'));
mkdirSync(work, { recursive: true });
const model = join(work, `model-${options.shape}`);
const weights = join(model, 'model.safetensors');
const weightBytesFile = join(work, `bytes-${options.shape}`);
if (!existsSync(weightBytesFile)) {
  const tokenizer = join(root, 'checkpoints', 'tiny-llama');
  const bytes = makeRandomLlama(model, { ...shape, tokenizer });
  writeFileSync(weightBytesFile, String(bytes));
}
const weightBytes = Number(readFileSync(weightBytesFile, 'utf8'));
const layers = [0.25, 0.5, 0.75].map((part) => Math.round(part * shape.layers));
const saes = layers.map((layer, n) => {
  const checkpoint = join(work, `sae-${options.shape}-${layer}.safetensors`);
  if (!existsSync(checkpoint))
    makeRandomSae(checkpoint, { width: shape.width, latents: 2 * shape.width, seed: n + 2 });
  return { kind: 'TopK', checkpoint, layer, k: 32 };
});
const request = join(work, 'request.json');
const samples = Number(options.samples);
writeFileSync(
  request,
  JSON.stringify({
    model,
    dataset: {
      path: join(root, 'checkpoints', 'eval'),
      seqLen: Number(options['seq-len']),
      maxSamples: samples,
    },
    saes,
    dtype: 'bfloat16',
    device: 'cpu',
    batchSize: Number(options['batch-size']),
  }),
);

const limit = Math.floor(Number(options.fraction) * weightBytes);
const group = makeGroup(limit);
if (group === null) fail('no control group with a memory limit could be made');
try {
  const whole = measure(request, null, work);
  forget(weights);
  const swept = measure(request, group, work);
  const { microBatch, superBatch = 1 } = swept.decisions;
  const batchSize = Number(options['batch-size']);
  const { superBatches } = await import('../dist/src/evaluation/engine/super-batch.js');
  const sweeps = superBatches(samples, {
    batchSize,
    sequences: microBatch.sequences,
    superBatch,
  });
  const found = {
    shape: options.shape,
    samples,
    weightBytes,
    limit,
    sameBits: whole.digest === swept.digest,
    streamed: swept.notices.some((text) => /one after the other/.test(text)),
    whole,
    swept,
    sweeps,
    /** Bytes that were read, against the weights once for each sweep. */
    readShare: swept.readBytes / (sweeps * weightBytes),
  };
  if (options.json) console.log(JSON.stringify(found));
  else {
    const gb = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
    console.log(
      `| ${options.shape} | ${gb(weightBytes)} | ${gb(limit)} | ` +
        `${found.sameBits ? 'same bits' : 'OTHER BITS'} | ${sweeps} | ` +
        `${gb(swept.readBytes)} (${found.readShare.toFixed(2)}) | ` +
        `${whole.seconds.toFixed(1)} s | ${swept.seconds.toFixed(1)} s |`,
    );
  }
} finally {
  rmdirSync(group);
  if (options.work === undefined) rmSync(work, { recursive: true });
}
