/** Starts what a server with a queue needs: the coordinator, and workers of its own machine. */
import type { FastifyBaseLogger } from 'fastify';
import { asSaeEvalError } from '../../src/errors.js';
import type { Services } from '../services.js';
import { Coordinator } from './coordinator.js';
import { checkQueueUrl } from './queue-address.js';
import type { SeenWorker } from './worker-list.js';
import { startQueueWorkers, type QueueWorkers } from './worker-process.js';

/** @throws SaeEvalError `configuration-invalid`. */
export function startSharing(
  services: Services,
  queueUrl: string,
  log: FastifyBaseLogger,
): { stop(): void; done: Promise<void> } {
  const { options, queue, store, metrics, machine, roots } = services;
  checkQueueUrl(queueUrl);
  queue.startRemote((host) => {
    services.coordinator = new Coordinator(host, {
      queue: queueUrl,
      runs: options.runs,
      roots: options.roots,
      shardSamples: options.shardSamples,
      saesPerShard: options.saesPerShard,
      jobTimeout: options.jobTimeout,
      sumsOf: (id) => store.sums.pathOf(id),
      niceness: options.computeNice,
      onShard: (outcome) => metrics.shard(outcome),
      onLook: (workers) => (machine.current = machineOf(workers)),
    });
    return services.coordinator;
  });
  const wanted = options.localWorkers ?? 0;
  if (wanted === 0) return { stop: () => {}, done: Promise.resolve() };
  const starting = startQueueWorkers({
    queue: queueUrl,
    roots,
    devices: wanted,
    cacheBytes: options.modelCacheBytes,
    niceness: options.computeNice,
    weights: options.weights,
    log: (message) => log.warn(message),
  });
  let isStopped = false;
  let workers: QueueWorkers | null = null;
  const done = starting
    .then(async (started) => {
      workers = started;
      if (isStopped) started.stop();
      await started.ended;
    })
    .catch((thrown: unknown) => {
      log.error({ reason: asSaeEvalError(thrown).message }, 'the local workers ended');
    });
  return {
    stop: () => {
      isStopped = true;
      workers?.stop();
    },
    done,
  };
}

/** The devices of all workers, by kind, as those of one machine. */
function machineOf(workers: readonly SeenWorker[]): NonNullable<Services['machine']['current']> {
  const kinds = new Map<string, string>();
  for (const { device, machine } of workers) kinds.set(device.replace(/:\d+$/, ''), machine);
  return {
    devices: [...kinds].map(([name, description]) => ({
      name,
      description,
      totalBytes: null,
      freeBytes: null,
    })),
    versions: { node: process.versions.node },
  };
}
