/**
 * Asks a compute process for the devices, then starts a worker for each device. The server is not
 * ready before that process answers.
 */
import type { FastifyBaseLogger } from 'fastify';
import { asSaeEvalError } from '../src/errors.js';
import type { WeightMode } from '../src/compute/fork-child.js';
import { ComputeProcess } from '../src/compute/host.js';
import type { LifeLimits } from '../src/compute/signs-of-life.js';
import type { JobQueue } from './jobs/queue.js';
import type { Store } from './jobs/store.js';
import { isStoreFault, storeError } from './jobs/store-health.js';
import type { MachineState } from './services.js';

interface Parts {
  machine: MachineState;
  queue: JobQueue;
  store: Store;
  cacheBytes: number;
  computeNice: number;
  weights: WeightMode;
  limits: LifeLimits;
  /** Devices that compute: all of them, or the first few. */
  localWorkers: 'all' | number | undefined;
  log: FastifyBaseLogger;
}

const betweenTries = 2000;

export function startWorkers(parts: Parts): { stop(): void; done: Promise<void> } {
  let stopped = false;
  let wake = (): void => {};
  const asking = new ComputeProcess({
    cacheBytes: parts.cacheBytes,
    niceness: parts.computeNice,
    weights: parts.weights,
    limits: parts.limits,
  });
  const done = (async () => {
    while (!stopped) {
      if (await ask(asking, parts)) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, betweenTries).unref();
      });
    }
  })();
  return {
    stop: () => {
      stopped = true;
      wake();
      void asking.close();
    },
    done,
  };
}

async function ask(
  asking: ComputeProcess,
  { machine, queue, store, log, localWorkers = 'all' }: Parts,
): Promise<boolean> {
  try {
    const described = await asking.describe();
    if (queue.stopping) return true;
    const names = described.devices.map(({ name }) => name);
    // The CPU stays: it is no accelerator that others could use.
    const gpus = names.filter((name) => name !== 'cpu');
    const left = localWorkers === 'all' ? [] : gpus.slice(Math.max(localWorkers, 0));
    const own = names.filter((name) => !left.includes(name));
    queue.start(own, {
      compute: asking,
      kinds: new Map(
        Object.entries(described.kinds ?? {}).map(([name, kind]) => [name, JSON.stringify(kind)]),
      ),
    });
    machine.current = {
      ...described,
      devices: described.devices.filter(({ name }) => own.includes(name)),
    };
    machine.problem = null;
    log.info(
      {
        devices: described.devices.map(({ name }) => name),
        versions: described.versions,
        left: store.jobs.countQueued(),
      },
      'ready',
    );
    return true;
  } catch (thrown) {
    if (queue.stopping) return true;
    if (isStoreFault(thrown)) {
      machine.problem = storeError(thrown).message;
      return false;
    }
    const error = asSaeEvalError(thrown, 'Asking for the devices');
    machine.problem = error.message;
    log.error({ reason: error.message }, 'no compute process answers');
    return false;
  }
}
