/**
 * The part of a run's shards that this process computes: process `i` of `n`, as the command line or
 * the scheduler that started it says.
 */
import { SaeEvalError } from '../errors.js';

export interface ArrayIndex {
  /** This process, from 0. */
  index: number;
  /** Number of processes; null if nobody tells: each then computes the shard of its index. */
  count: number | null;
  /** Source of it, for people. */
  from: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

function whole(environment: Environment, name: string): number | null {
  const text = environment[name];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** Names of variables with the index, and with what it is counted by. */
interface Scheduler {
  index: string;
  /** First index of the array; a name or a number. */
  first?: string | number;
  last?: string;
  step?: string;
  count?: string;
  /** Value that a job outside an array has. */
  outside?: number;
}

/**
 * Schedulers' variables, from their manuals: Slurm (job arrays), Kubernetes (Indexed Jobs), AWS
 * Batch, Google Cloud Batch, PBS, LSF, Grid Engine, SkyPilot, Open MPI.
 */
const schedulers: readonly Scheduler[] = [
  {
    index: 'SLURM_ARRAY_TASK_ID',
    first: 'SLURM_ARRAY_TASK_MIN',
    step: 'SLURM_ARRAY_TASK_STEP',
    count: 'SLURM_ARRAY_TASK_COUNT',
  },
  { index: 'JOB_COMPLETION_INDEX' },
  { index: 'AWS_BATCH_JOB_ARRAY_INDEX', count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
  { index: 'BATCH_TASK_INDEX', count: 'BATCH_TASK_COUNT' },
  { index: 'PBS_ARRAY_INDEX' },
  {
    index: 'LSB_JOBINDEX',
    first: 1,
    last: 'LSB_JOBINDEX_END',
    step: 'LSB_JOBINDEX_STEP',
    outside: 0,
  },
  {
    index: 'SGE_TASK_ID',
    first: 'SGE_TASK_FIRST',
    last: 'SGE_TASK_LAST',
    step: 'SGE_TASK_STEPSIZE',
  },
  { index: 'SKYPILOT_NODE_RANK', count: 'SKYPILOT_NUM_NODES' },
];

/** Processes of one job, which may itself be a member of an array. */
const ranks: readonly Scheduler[] = [
  { index: 'SLURM_PROCID', count: 'SLURM_NTASKS' },
  { index: 'OMPI_COMM_WORLD_RANK', count: 'OMPI_COMM_WORLD_SIZE' },
];

function indexBy(
  { index: name, first = 0, last, step: stepName, count: countName, outside }: Scheduler,
  environment: Environment,
): ArrayIndex | null {
  const found = whole(environment, name);
  if (found === null || found === outside) return null;
  const from = typeof first === 'number' ? first : (whole(environment, first) ?? 0);
  const step = Math.max(1, stepName === undefined ? 1 : (whole(environment, stepName) ?? 1));
  const end = last === undefined ? null : whole(environment, last);
  const told = countName === undefined ? null : whole(environment, countName);
  return {
    index: Math.floor((found - from) / step),
    count: told ?? (end === null ? null : Math.floor((end - from) / step) + 1),
    from: name,
  };
}

/** The index that the environment of a scheduler gives; null outside of one. */
export function indexOfEnvironment(environment: Environment): ArrayIndex | null {
  const [array = null] = schedulers.flatMap((one) => indexBy(one, environment) ?? []);
  const rank = ranks
    .flatMap((one) => indexBy(one, environment) ?? [])
    .find(({ count }) => count !== null && count > 1);
  if (rank === undefined) return array;
  if (array === null || array.count === null) return array ?? rank;
  return {
    index: array.index * rank.count! + rank.index,
    count: array.count * rank.count!,
    from: `${array.from} and ${rank.from}`,
  };
}

/**
 * The index of a command line, `i/n` with `i` from 0.
 * @throws SaeEvalError `request-invalid`.
 */
export function indexOfText(text: string): ArrayIndex {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (index === undefined || Number(index) >= Number(count))
    throw new SaeEvalError(
      'request-invalid',
      `expected i/n with i from 0 to n - 1, such as 0/8 to 7/8, found ${text}`,
    );
  return { index: Number(index), count: Number(count), from: text };
}

/** The shards of a process: `i`, `i + n`, `i + 2n`, …; only `i` if `n` is not known. */
export function shardsFor({ index, count }: ArrayIndex, shards: number): number[] {
  const step = count ?? Infinity;
  const own: number[] = [];
  for (let shard = index; shard < shards; shard += step) own.push(shard);
  return own;
}
