/** The child process of run-tasks.ts: does one task and ends. */
import { setPriority } from 'node:os';
import { startWatchThread } from '../../src/compute/watch-thread.js';
import { asSaeEvalError } from '../../src/errors.js';
import { compareRuns } from '../../src/evaluation/compare/compare-runs.js';
import { readSums } from '../../src/evaluation/compare/sums-of-run.js';
import {
  hidePaths,
  openPaths,
  serverAllowsPrograms,
  type PathTable,
} from '../../src/evaluation/request/path-table.js';
import { checkInputs } from '../../src/evaluation/run/inputs.js';
import { FolderStore } from '../../src/evaluation/shards/folder-store.js';
import { planRun } from '../../src/evaluation/shards/make-plan.js';
import { merge } from '../../src/evaluation/shards/merge.js';
import { latentsBeside } from '../jobs/latents-beside.js';
import { taskSchema, type Task, type TaskAnswer } from './run-tasks.js';

/** Milliseconds between counts of samples. */
const betweenCounts = 500;

function send(answer: TaskAnswer): Promise<void> {
  return new Promise((resolve) => process.send!(answer, undefined, {}, () => resolve()));
}

async function plan(task: Extract<Task, { type: 'plan' }>): Promise<TaskAnswer> {
  const { folder, id, createdAt, request, paths, shardSamples, saesPerShard } = task;
  const inputs = await checkInputs(request, {
    resolvePath: openPaths(paths, [folder]),
    allowProgram: serverAllowsPrograms(),
  });
  let told = 0;
  await planRun(inputs, new FolderStore(folder), {
    id,
    createdAt,
    shardSamples,
    saesPerShard,
    onSamples: (samples) => {
      if (performance.now() - told < betweenCounts) return;
      told = performance.now();
      void send({ type: 'samples', samples });
    },
  });
  return { type: 'planned' };
}

async function mergeShards(task: Extract<Task, { type: 'merge' }>): Promise<TaskAnswer> {
  const { folder, sums, paths, allowMissing, seconds } = task;
  const resolvePath = openPaths(paths, [folder]);
  const result = await merge(new FolderStore(folder), {
    sums,
    latents: latentsBeside(sums),
    resolveModel: (name) => resolvePath(name, 'model'),
    allowMissing,
    ...(seconds === undefined ? {} : { seconds }),
  });
  return { type: 'merged', result };
}

function comparison({ base, others, metrics }: Extract<Task, { type: 'compare' }>): TaskAnswer {
  const [first, ...rest] = [base, ...others].map(({ path, name }) => readSums(path, name));
  return { type: 'compared', comparison: compareRuns(first!, rest, { metrics }) };
}

async function done(task: Task): Promise<TaskAnswer> {
  if (task.type === 'plan') return plan(task);
  return task.type === 'merge' ? mergeShards(task) : comparison(task);
}

async function answer(raw: unknown): Promise<void> {
  let paths: PathTable = null;
  try {
    const task = taskSchema.parse(raw);
    if (task.type !== 'compare') ({ paths } = task);
    await send(await done(task));
  } catch (thrown) {
    const error = hidePaths(asSaeEvalError(thrown, 'The run'), paths);
    await send({ type: 'error', error: error.toJSON() });
  }
  process.exit(0);
}

try {
  setPriority(Number(process.env['SAE_EVAL_PROCESS_NICE'] ?? 0));
} catch {
  // It stays as it is.
}
startWatchThread();
process.once('message', (raw) => void answer(raw));
