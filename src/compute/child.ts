/**
 * The compute process: forked by host.ts, runs one evaluation at a time and keeps libtorch, models
 * and SAEs loaded between them. A crash or an out-of-memory kill takes down this process alone.
 */
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { freeOnDevice } from '../evaluation/run/cuda-device.js';
import { resolveDevice } from '../evaluation/run/device.js';
import { run as runEvaluation, type RunOptions } from '../evaluation/run/run.js';
import type { EvaluationResult } from '../schema/result.js';
import { WeightCache } from '../evaluation/run/weight-cache.js';
import { describeMachine, memoryReader } from './machine.js';
import { hidePaths, openPaths, serverAllowsPrograms } from '../evaluation/request/path-table.js';
import { toChildSchema, type FromChild, type ProcessUsage, type ToChild } from './protocol.js';
import { devices, versions } from '../torch/index.js';
import { goFirst, standBack } from '../torch/tuning.js';
import { computeSpan } from './compute-span.js';
import { OpenRunner } from './open-runner.js';
import { startWatchThread } from './watch-thread.js';

/** Milliseconds between numbers as they stand: to make them and to send them takes time. */
const resultInterval = 1000;
const cancellations = new Map<number, { cancel: AbortController; stop: AbortController }>();
const cache = new WeightCache();
const shards = new OpenRunner(cache);

function send(message: FromChild): void {
  // The parent may be gone: then the watch ends this process.
  if (process.connected) process.send!(message, undefined, {}, () => {});
}

/**
 * Runs it; once more with an empty cache where the device has no room beside what is kept of
 * earlier runs.
 */
async function runWithRoom(
  request: Extract<ToChild, { type: 'run' }>['request'],
  options: RunOptions,
): Promise<EvaluationResult> {
  try {
    return await runEvaluation(request, options);
  } catch (thrown) {
    if (asSaeEvalError(thrown).code !== 'device-memory' || cache.counts().entries === 0)
      throw thrown;
    cache.clear();
    return runEvaluation(request, options);
  }
}

function usageOf(device: string): () => ProcessUsage {
  const readMemory = memoryReader(device);
  // Half of a device is left to what is computed there.
  cache.limitBytes = Math.min(cache.limitBytes, (readMemory()?.totalBytes ?? Infinity) / 2);
  return () => ({
    residentBytes: process.memoryUsage.rss(),
    device: readMemory(),
    cache: cache.counts(),
  });
}

async function computeShard(message: Extract<ToChild, { type: 'shard' }>): Promise<void> {
  const { call, cacheBytes } = message;
  const device = resolveDevice(message.device ?? message.request.device, devices(), freeOnDevice);
  const ends = { cancel: new AbortController(), stop: new AbortController() };
  cancellations.set(call, ends);
  cache.limitBytes = cacheBytes;
  const usage = usageOf(device);
  try {
    const done = await shards.run(message, {
      device,
      signal: ends.cancel.signal,
      stop: ends.stop.signal,
      onProgress: (samples) => send({ type: 'shard-progress', call, samples }),
      onNotice: (text) => send({ type: 'notice', call, text }),
    });
    send({ type: 'shard-done', call, done, usage: usage() });
  } catch (thrown) {
    const error = hidePaths(asSaeEvalError(thrown, 'The shard'), message.paths);
    send({ type: 'error', call, error: error.toJSON(), usage: usage() });
  } finally {
    cancellations.delete(call);
    globalThis.gc?.();
  }
}

async function run(message: Extract<ToChild, { type: 'run' }>): Promise<void> {
  const { call, request, id, createdAt, journal, sums, latents, paths, cacheBytes } = message;
  const { trace = {} } = message;
  const device = resolveDevice(message.device ?? request.device, devices(), freeOnDevice);
  const ends = { cancel: new AbortController(), stop: new AbortController() };
  cancellations.set(call, ends);
  shards.close();
  cache.limitBytes = cacheBytes;
  const usage = usageOf(device);
  const span = await computeSpan(trace);
  try {
    const result = await runWithRoom(request, {
      device,
      ...(id === undefined ? {} : { id }),
      ...(createdAt === undefined ? {} : { createdAt }),
      ...(journal === undefined ? {} : { journal }),
      ...(sums === undefined ? {} : { sums }),
      ...(latents === undefined ? {} : { latents }),
      cache,
      signal: ends.cancel.signal,
      stop: ends.stop.signal,
      resolvePath: openPaths(paths),
      paths,
      allowProgram: paths === null ? message.allowProgram : serverAllowsPrograms(),
      onLoaded: () => span.loaded(),
      onBatch: (samples) => span.batch(samples),
      onProgress: (progress) => send({ type: 'progress', call, progress, usage: usage() }),
      onNotice: (text) => send({ type: 'notice', call, text }),
      resultInterval,
      onResult: (results) => send({ type: 'partial', call, results }),
    });
    span.end();
    send({ type: 'result', call, result, usage: usage() });
  } catch (thrown) {
    const error = hidePaths(asSaeEvalError(thrown, 'The evaluation'), paths);
    span.end(error.message);
    send({ type: 'error', call, error: error.toJSON(), usage: usage() });
  } finally {
    cancellations.delete(call);
    // Between evaluations there is time; a process that lives for weeks should not keep what the
    // last one left.
    globalThis.gc?.();
  }
}

async function answer(message: ToChild): Promise<void> {
  if (message.type === 'cancel' || message.type === 'stop') {
    cancellations
      .get(message.call)
      ?.[message.type].abort(new SaeEvalError('cancelled', 'The evaluation was cancelled.'));
    return;
  }
  try {
    if (message.type === 'run') await run(message);
    else if (message.type === 'shard') await computeShard(message);
    else send({ type: 'described', call: message.call, machine: describeMachine() });
  } catch (thrown) {
    const { call } = message;
    send({ type: 'error', call, error: asSaeEvalError(thrown, 'The evaluation').toJSON() });
  }
}

/**
 * Loads libtorch, which takes half a second, before the first request comes. A failure is reported
 * to the call that needs it.
 */
function loadAhead(): void {
  try {
    versions();
  } catch {
    // The next use tries again.
  }
}

goFirst();
standBack(Number(process.env['SAE_EVAL_PROCESS_NICE'] ?? 0));
startWatchThread();
process.on('message', (raw) => void answer(toChildSchema.parse(raw)));
setImmediate(loadAhead);
