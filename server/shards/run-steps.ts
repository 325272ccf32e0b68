/** Steps of a run of workers that the server does in children: its plan and its merge. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EvaluationResult } from '../../src/schema/result.js';
import type { ActiveRun } from './active-run.js';
import { mergeInChild, planInChild } from './run-tasks.js';

export interface RunStepsOptions {
  shardSamples?: number | undefined;
  saesPerShard?: number | undefined;
  /** File for the sums of an evaluation. */
  sumsOf(id: string): string;
  niceness: number;
}

/** Makes the plan of a run, or finds the one that an earlier server made. */
export async function planRunOf(
  { job, place, ends }: ActiveRun,
  { shardSamples, saesPerShard, niceness }: RunStepsOptions,
): Promise<void> {
  const { id, createdAt, request, paths } = job;
  mkdirSync(place.folder, { recursive: true });
  // An earlier server may have been told to end it.
  rmSync(join(place.folder, 'cancel'), { force: true });
  await planInChild(
    {
      folder: place.folder,
      id,
      createdAt,
      request,
      paths,
      ...(shardSamples === undefined ? {} : { shardSamples }),
      ...(saesPerShard === undefined ? {} : { saesPerShard }),
    },
    { signal: ends.signal, niceness },
  );
}

/** The result of the shards of a run that are done. */
export function mergeRunOf(
  { id, job, place, ends, isResumed, began }: ActiveRun,
  { sumsOf, niceness, allowMissing }: RunStepsOptions & { allowMissing: boolean },
): Promise<EvaluationResult> {
  return mergeInChild(
    {
      folder: place.folder,
      sums: sumsOf(id),
      paths: job.paths,
      allowMissing,
      ...(isResumed ? {} : { seconds: (performance.now() - began) / 1000 }),
    },
    { signal: ends.signal, niceness },
  );
}
