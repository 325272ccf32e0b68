/**
 * A companion of a run, in a thread of its own: it loads the same model and SAEs and computes the
 * micro-batches that it takes. A fault ends it; the run's own thread computes what it took.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { MicroBatchQueue } from '../engine/companions.js';
import { openPaths } from '../request/path-table.js';
import type { CompanionTask, FromCompanion, ToCompanion } from './companion-protocol.js';
import { openInputs } from './inputs.js';
import { LoadedRun } from './loaded-run.js';
import { WeightCache } from './weight-cache.js';

const port = parentPort!;
const { request, paths, decisions, turnedSkips, only } = workerData as CompanionTask;

const send = (message: FromCompanion): void => port.postMessage(message);

const inputs = await openInputs(request, {
  cache: new WeightCache(),
  resolvePath: openPaths(paths),
  device: 'cpu',
});
const loaded = await LoadedRun.load(inputs, {
  products: decisions.saeProducts,
  turnedSkips,
  only,
});
const engine = loaded.soleEngine(decisions);

function take({ id, next, microBatches, microBatch }: Extract<ToCompanion, { type: 'offer' }>) {
  const queue = new MicroBatchQueue(microBatches.length, next);
  engine.useMicroBatch(microBatch);
  for (let place; (place = queue.take()) !== null;)
    send({ type: 'sums', id, place, sums: engine.microBatchSums(microBatches[place]!) });
  send({ type: 'ended', id });
}

port.on('message', (message: ToCompanion) => {
  if (message.type === 'offer') {
    take(message);
    return;
  }
  engine.dispose();
  inputs.loans.release();
  port.close();
});
send({ type: 'ready' });
