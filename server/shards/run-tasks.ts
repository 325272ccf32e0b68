/**
 * Work of a server on a run besides computing it, in a child process, so that its event loop
 * stays free: reading the text to make the plan, and merging the shards.
 */
import { fork } from 'node:child_process';
import { z } from 'zod';
import { entryFile } from '../../src/entry.js';
import { SaeEvalError, type SerializedError } from '../../src/errors.js';
import { pathTableSchema, serializedErrorSchema } from '../../src/evaluation/request/path-table.js';
import { childEnvironment } from '../../src/inspect/child-environment.js';
import { resolvedRequestFields } from '../../src/schema/request.js';
import { resultSchema, type EvaluationResult } from '../../src/schema/result.js';
import { runComparisonSchema, type RunComparison } from '../../src/schema/run-comparison.js';

/** A file of sums, and how messages call its run. */
const comparedSchema = z.object({ path: z.string(), name: z.string() });

export const taskSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('plan'),
    folder: z.string(),
    id: z.string(),
    createdAt: z.string(),
    request: z.object(resolvedRequestFields.shape),
    paths: pathTableSchema,
    shardSamples: z.number().optional(),
    saesPerShard: z.number().optional(),
  }),
  z.object({
    type: z.literal('merge'),
    folder: z.string(),
    sums: z.string(),
    /** The model's path, for its tokenizer. */
    paths: pathTableSchema.default(null),
    /** Whether the numbers may be of the shards that are there. */
    allowMissing: z.boolean(),
    seconds: z.number().optional(),
  }),
  z.object({
    type: z.literal('compare'),
    base: comparedSchema,
    others: z.array(comparedSchema),
    metrics: z.array(z.string()).optional(),
  }),
]);
export type Task = z.infer<typeof taskSchema>;
type GivenTask = z.input<typeof taskSchema>;

export const taskAnswerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('samples'), samples: z.number() }),
  z.object({ type: z.literal('planned') }),
  z.object({ type: z.literal('merged'), result: resultSchema }),
  z.object({ type: z.literal('compared'), comparison: runComparisonSchema }),
  z.object({ type: z.literal('error'), error: serializedErrorSchema }),
]);
export type TaskAnswer = z.infer<typeof taskAnswerSchema>;

interface TaskOptions {
  signal?: AbortSignal;
  niceness?: number;
  /** Samples that are read so far. */
  onSamples?: (samples: number) => void;
}

/** @throws SaeEvalError that of the task; `cancelled`; `process-died`. */
function runTask(
  task: GivenTask,
  { signal, niceness = 0, onSamples }: TaskOptions,
): Promise<Exclude<TaskAnswer, { type: 'error' | 'samples' }>> {
  return new Promise((resolve, reject) => {
    const child = fork(entryFile('server/shards/run-tasks-child.js'), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {
        ...childEnvironment(),
        SAE_EVAL_PROCESS_NICE: String(niceness),
        SAE_EVAL_PROCESS_PARENT: String(process.pid),
      },
      execArgv: [],
    });
    const onAbort = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', onAbort, { once: true });
    child.once('error', reject);
    child.on('message', (raw) => {
      const parsed = taskAnswerSchema.safeParse(raw);
      if (!parsed.success)
        reject(
          new SaeEvalError('internal', 'A task of the server gave an answer that does not fit.'),
        );
      else if (parsed.data.type === 'samples') onSamples?.(parsed.data.samples);
      else if (parsed.data.type === 'error')
        reject(SaeEvalError.fromJSON(parsed.data.error as SerializedError));
      else resolve(parsed.data);
    });
    child.once('close', (code, name) => {
      signal?.removeEventListener('abort', onAbort);
      reject(
        signal?.aborted === true
          ? new SaeEvalError('cancelled', 'The evaluation was cancelled.')
          : new SaeEvalError(
              'process-died',
              `The process of the task '${task.type}' ended (${name ?? code}).`,
            ),
      );
    });
    child.send(task, (error) => {
      if (error !== null) reject(error);
    });
    if (signal?.aborted === true) onAbort();
  });
}

/** Makes the plan of a run in its folder, or joins the one that is there. */
export async function planInChild(
  task: Omit<Extract<Task, { type: 'plan' }>, 'type'>,
  options: TaskOptions = {},
): Promise<void> {
  await runTask({ type: 'plan', ...task }, options);
}

/** The result of a run's shards. */
export async function mergeInChild(
  task: Omit<Extract<GivenTask, { type: 'merge' }>, 'type'>,
  options: TaskOptions = {},
): Promise<EvaluationResult> {
  const answer = await runTask({ type: 'merge', ...task }, options);
  return (answer as Extract<TaskAnswer, { type: 'merged' }>).result;
}

/** Paired differences between runs. */
export async function compareInChild(
  task: Omit<Extract<Task, { type: 'compare' }>, 'type'>,
  options: TaskOptions = {},
): Promise<RunComparison> {
  const answer = await runTask({ type: 'compare', ...task }, options);
  return (answer as Extract<TaskAnswer, { type: 'compared' }>).comparison;
}
