/** Decides whether other threads of this process compute micro-batches of a run. */
import { bytesPer } from '../../lm/weight-files.js';
import { canHandOver, type Companions } from '../engine/companions.js';
import { CompanionThreads } from './companion-threads.js';
import { systemMemory } from './device-memory.js';
import type { RunInputs } from './inputs.js';
import type { Decisions } from './journal.js';
import type { LoadedRun } from './loaded-run.js';
import { threadsOfProcess } from './prepare.js';
import { valuesOf } from './residency.js';

/** Part of the free memory that companions may take. */
const memoryShare = 0.5;

/** Bytes of a thread with the package loaded, and of its micro-batch, about. */
const bytesOfThread = 256 * 2 ** 20;

/** The companions of a run; null if there can be none, or if they would not help. */
export function companionsOf(
  { request, validated, paths, allowProgram }: RunInputs,
  loaded: LoadedRun,
  decisions: Decisions,
): Companions | null {
  const { model, wanted, only, turnedSkips } = loaded;
  const isOneThread = request.device === 'cpu' && decisions.threads === 1;
  if (!isOneThread || paths === undefined || !canHandOver(wanted)) return null;
  // Blocks are brought in for one thread, a program is loaded by one, and the first texts decide
  // about open skip connections before others are read.
  if (model.isStreamed || allowProgram || loaded.hasOpenSkips) return null;
  const ofSaes = validated.saes
    .filter((_, index) => only?.includes(index) ?? true)
    .reduce((sum, { description }) => sum + valuesOf(description), 0);
  const bytes = bytesOfThread + model.weightBytes + ofSaes * bytesPer(request.saeDtype);
  const fitting = Math.floor((memoryShare * systemMemory().freeBytes) / bytes);
  const inBatch = Math.ceil(request.batchSize / decisions.microBatch.sequences);
  const most = Math.min(threadsOfProcess() - 1, inBatch - 1, fitting);
  return most < 1
    ? null
    : new CompanionThreads({ request, paths, decisions, turnedSkips, only }, most);
}
