/**
 * What a run costs beside its passes over the text, at 100,000 and 1,000,000 samples: bytes that
 * are written, time of merging, of the bootstrap, of the result and of the report, memory. All must
 * grow as the samples do, or less. And what a result of many SAEs takes.
 *
 * The sums are synthetic: a small run of the eight shipped SAEs gives the columns, and a seeded
 * generator fills them. Each number of samples has a process of its own, whose peak memory is told.
 *
 *   npm run -s setup && node bench/scale.mjs [--samples 100000,1000000] [--saes 16,64,256]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { demoRequest } from '../dist/src/cli/demo-request.js';
import { ResultBuilder } from '../dist/src/evaluation/result/result-builder.js';
import { randomWords, stateOf } from '../dist/src/evaluation/result/random-words.js';
import { resample } from '../dist/src/evaluation/result/bootstrap.js';
import { drawnBatches, drawnColumns } from '../dist/src/evaluation/result/resampled-units.js';
import { writeSums } from '../dist/src/evaluation/result/sums-file.js';
import { Journal } from '../dist/src/evaluation/run/journal.js';
import { FolderStore } from '../dist/src/evaluation/shards/folder-store.js';
import { readShardFile, writeShardFile } from '../dist/src/evaluation/shards/shard-file.js';
import { Accumulator } from '../dist/src/metrics/accumulator.js';
import { metricsNamed } from '../dist/src/metrics/table.js';
import { renderReport } from '../dist/src/report/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const shardSamples = 1024;
const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '100000,1000000' },
    saes: { type: 'string', default: '16,64,256' },
    work: { type: 'string' },
    /** Set in the process of one number of samples or SAEs. */
    one: { type: 'string' },
  },
});

/** A small run in shards, whose columns and facts the synthetic ones have. */
function smallRun(folder) {
  const request = demoRequest(join(root, 'checkpoints'));
  request.dataset = { ...request.dataset, maxSamples: 64, seqLen: 32 };
  const path = join(folder, 'request.json');
  writeFileSync(path, JSON.stringify({ ...request, device: 'cpu' }));
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(root, 'dist/src/cli/main.js'), 'shard', path, '--out', join(folder, 'small')],
    { encoding: 'utf8', cwd: root },
  );
  if (status !== 0) throw new Error(`the small run failed: ${stderr}`);
}

/** Whether a column belongs to no SAE. */
const isCount = (name) => /^clean\||^length$/.test(name);

/** Sums of `samples` sequences, each like one of the sample's. */
function synthetic(sample, samples, { batchSize, word }) {
  const { columns, vectors } = sample.state();
  const like = Array.from({ length: samples }, () => word() % sample.sequences);
  const made = new Accumulator();
  for (const [name, values] of columns) {
    made.append(
      name,
      Float64Array.from(like, (i) => values[i] * (isCount(name) ? 1 : 0.5 + word() / 2 ** 32)),
    );
  }
  for (const [name, parts] of vectors) for (const part of parts) made.add(name, part);
  for (let at = 0; at < samples; at += batchSize) made.endBatch(Math.min(batchSize, samples - at));
  return made;
}

/** As many copies of the first SAE, each with values of its own, over 1,024 samples. */
async function measureSaes(count, folder) {
  const store = new FolderStore(join(folder, 'small'));
  const plan = store.plan();
  const { facts, decisions } = store.decided(0);
  const { accumulator: sample } = store.get(0);
  const word = randomWords(stateOf(count));
  const [first] = facts.saes;
  const [{ owner }] = first.variants;
  const accumulator = new Accumulator();
  const { columns, vectors } = sample.state();
  const like = Array.from({ length: shardSamples }, () => word() % sample.sequences);
  const isOwn = (name) => name.startsWith(`${owner}|`);
  const namesOf = (name) =>
    isOwn(name)
      ? Array.from({ length: count }, (_, index) => name.replace(owner, `${index}.0`))
      : isCount(name)
        ? [name]
        : [];
  for (const [name, values] of columns)
    for (const made of namesOf(name))
      accumulator.append(
        made,
        Float64Array.from(like, (i) => values[i] * (isOwn(name) ? 0.5 + word() / 2 ** 32 : 1)),
      );
  for (const [name, parts] of vectors)
    for (const made of namesOf(name)) for (const part of parts) accumulator.add(made, part);
  for (let at = 0; at < shardSamples; at += 64) accumulator.endBatch(64);
  const saes = Array.from({ length: count }, (_, index) => ({
    ...first,
    identity: { ...first.identity, label: `SAE ${index}` },
    variants: [{ ...first.variants[0], owner: `${index}.0` }],
  }));
  const seconds = {};
  const result = await timed(seconds, 'the result', () =>
    new ResultBuilder({
      facts: { ...facts, saes },
      decisions,
      identity: { id: plan.id, createdAt: plan.createdAt },
    }).result(accumulator, {
      data: { ...plan.data, warnings: [] },
      timing: { seconds: 1 },
      peakBytes: 1,
    }),
  );
  const bytes = {};
  for (const format of ['json', 'md', 'html', 'csv']) {
    const text = await timed(seconds, `report.${format}`, () => renderReport(result, { format }));
    bytes[`report.${format}`] = Buffer.byteLength(text);
  }
  return {
    saes: count,
    comparisons: result.comparisons.length,
    bytes,
    seconds,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** Adds the time by the clock, and that of the processors, which others do not disturb. */
async function timed(rows, name, body) {
  const began = performance.now();
  const before = process.cpuUsage();
  const result = await body();
  const { user, system } = process.cpuUsage(before);
  const row = (rows[name] ??= { clock: 0, processors: 0 });
  row.clock += (performance.now() - began) / 1000;
  row.processors += (user + system) / 1e6;
  return result;
}

/** Everything for one number of samples. */
async function measure(samples, folder) {
  const store = new FolderStore(join(folder, 'small'));
  const plan = store.plan();
  const { facts, decisions } = store.decided(0);
  const { accumulator: sample, ...about } = store.get(0);
  const batchSize = facts.request.batchSize;
  const word = randomWords(stateOf(samples));
  const shards = join(folder, `shards-${samples}`);
  mkdirSync(shards);
  const bytes = {};
  const seconds = {};
  const paths = [];
  for (let at = 0; at < samples; at += shardSamples) {
    const part = synthetic(sample, Math.min(shardSamples, samples - at), { batchSize, word });
    const path = join(shards, `${paths.length}.safetensors`);
    await timed(seconds, 'writing the shards', () =>
      writeShardFile(path, { ...about, shard: paths.length, accumulator: part }),
    );
    bytes['the shards'] = (bytes['the shards'] ?? 0) + statSync(path).size;
    paths.push(path);
  }
  const accumulator = new Accumulator();
  accumulator.reserve(samples);
  await timed(seconds, 'reading and merging the shards', () => {
    for (const path of paths) accumulator.merge(readShardFile(path).accumulator);
  });
  rmSync(shards, { recursive: true });

  const written = async (name, path, write) => {
    await timed(seconds, `writing ${name}`, () => write(path));
    bytes[name] = statSync(path).size;
    rmSync(path);
  };
  const identity = { id: plan.id, createdAt: plan.createdAt };
  await written('a journal', join(folder, 'journal'), (path) =>
    new Journal(path, { request: {}, machine: {} }, { contents: [] }).write({
      ...identity,
      decisions,
      turnedSkips: [],
      seconds: 1,
      warnings: [],
      accumulator,
    }),
  );
  await written('sums.safetensors', join(folder, 'sums.safetensors'), (path) =>
    writeSums(path, {
      accumulator,
      request: facts.request,
      saes: facts.saes,
      metrics: metricsNamed(facts.request.metrics),
      id: plan.id,
      version: 'bench',
    }),
  );
  const strict = accumulator.columnNames.filter((name) => name.includes('|strict|'));
  const drawn = drawnColumns(accumulator, strict);
  await timed(seconds, 'the bootstrap alone', () => resample([...drawn.values()], 42));
  const result = await timed(seconds, 'the result, with its bootstrap', () =>
    new ResultBuilder({ facts, decisions, identity }).result(accumulator, {
      data: { ...plan.data, warnings: [] },
      timing: { seconds: 1 },
      peakBytes: 1,
    }),
  );
  for (const format of ['md', 'html', 'json', 'csv']) {
    const text = await timed(seconds, 'the reports', () => renderReport(result, { format }));
    bytes['the reports'] = (bytes['the reports'] ?? 0) + Buffer.byteLength(text);
  }
  return {
    samples,
    columns: accumulator.columnNames.length,
    'drawn by the bootstrap': drawnBatches(accumulator) ?? samples,
    bytes,
    seconds,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

const amount = (bytes) =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(0)} MB`;

/** @param first names of the counts that the table begins with. */
function printTable(runs, first) {
  const line = (name, cells) => console.log(`| ${[name, ...cells].join(' | ')} |`);
  const row = (name, valueOf, show) => {
    const values = runs.map(valueOf);
    const ratio = values.at(-1) / values[0];
    line(name, [...values.map(show), runs.length > 1 ? `${ratio.toFixed(1)}×` : '']);
  };
  const [head, ...others] = first;
  line(head, [...runs.map((run) => run[head].toLocaleString('en')), 'ratio']);
  line(
    '---',
    [...runs, 0].map(() => '---:'),
  );
  for (const name of others) row(name, (run) => run[name], String);
  for (const name of Object.keys(runs[0].bytes)) row(name, ({ bytes }) => bytes[name], amount);
  for (const name of Object.keys(runs[0].seconds))
    for (const of of ['clock', 'processors'])
      row(
        of === 'clock' ? name : `${name}, processors`,
        ({ seconds }) => seconds[name][of],
        (value) => `${value.toFixed(2)} s`,
      );
  row('peak memory', ({ peakBytes }) => peakBytes, amount);
}

if (options.one === undefined) {
  const work = options.work ?? mkdtempSync(join(tmpdir(), 'sae-eval-scale-'));
  mkdirSync(work, { recursive: true });
  try {
    smallRun(work);
    const runsOf = (counts, what) =>
      counts.split(',').map((count) => {
        const { status, stdout } = spawnSync(
          process.execPath,
          [fileURLToPath(import.meta.url), '--one', `${count} ${what}`, '--work', work],
          { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
        );
        if (status !== 0) throw new Error(`${count} ${what} failed`);
        return JSON.parse(stdout);
      });
    console.log(`${cpus()[0].model.trim()}, ${cpus().length} processors\n`);
    printTable(runsOf(options.samples, 'samples'), [
      'samples',
      'columns',
      'drawn by the bootstrap',
    ]);
    console.log('');
    printTable(runsOf(options.saes, 'saes'), ['saes', 'comparisons']);
  } finally {
    if (options.work === undefined) rmSync(work, { recursive: true, force: true });
  }
} else {
  const [count, what] = options.one.split(' ');
  const body = what === 'saes' ? measureSaes : measure;
  console.log(JSON.stringify(await body(Number(count), options.work)));
}
