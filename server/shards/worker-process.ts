/** `sae-eval worker`: the devices of this machine compute shards of a queue until SIGTERM. */
import { asSaeEvalError } from '../../src/errors.js';
import { ComputeProcess, type ComputeProcessOptions } from '../../src/compute/host.js';
import { resolveDevice } from '../../src/evaluation/run/device.js';
import type { Roots } from '../roots.js';
import { DeviceLoop } from './device-loop.js';
import { QueueLink } from './queue-link.js';

export interface QueueWorkersOptions {
  /** Address of the queue. */
  queue: string;
  roots: Roots;
  /** `all`, names of devices, or how many; default: one, chosen as for a request. */
  devices?: 'all' | number | readonly string[];
  /** Whether runs are computed that another kind of machine began; default false. */
  anyMachine?: boolean;
  lockSeconds?: number;
  /** Bytes of models and SAEs that each process keeps loaded; default none. */
  cacheBytes?: number;
  niceness?: number;
  /** How weights come into memory. */
  weights?: ComputeProcessOptions['weights'];
  log: (message: string) => void;
}

export interface QueueWorkers {
  /** The devices that compute. */
  devices: readonly string[];
  /** Resolves when all have ended: whether a shard was given back. */
  ended: Promise<boolean>;
  /** Stops after the micro-batches under way; finished batches are kept. */
  stop(): void;
}

/** @throws SaeEvalError `configuration-invalid`, `device-unavailable`, `setup-missing`. */
export async function startQueueWorkers(options: QueueWorkersOptions): Promise<QueueWorkers> {
  const { queue, roots, log, anyMachine = false, lockSeconds, cacheBytes, niceness } = options;
  const { weights } = options;
  const processOptions = {
    ...(weights === undefined ? {} : { weights }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
    ...(niceness === undefined ? {} : { niceness }),
  };
  const link = new QueueLink({
    url: queue,
    log,
    ...(lockSeconds === undefined ? {} : { lockSeconds }),
  });
  const first = new ComputeProcess(processOptions);
  let loops: DeviceLoop[];
  let devices: string[];
  try {
    const machine = await first.describe();
    devices = devicesOf(
      options.devices,
      machine.devices.map(({ name }) => name),
    );
    loops = devices.map(
      (device, index) =>
        new DeviceLoop({
          link,
          roots,
          device,
          kind: machine.kinds![device]!,
          compute: index === 0 ? first : new ComputeProcess(processOptions),
          anyMachine,
          log,
        }),
    );
  } catch (thrown) {
    await first.close();
    await link.close();
    throw thrown;
  }
  const stop = (): void => {
    for (const loop of loops) loop.stop();
  };
  const run = async (): Promise<boolean> => {
    try {
      // One that meets a fault ends all.
      const gaveBack = await Promise.all(
        loops.map((loop) =>
          loop.run().catch((thrown: unknown) => {
            stop();
            throw thrown;
          }),
        ),
      );
      return gaveBack.includes(true);
    } finally {
      await link.close();
    }
  };
  return { devices, ended: run(), stop };
}

function devicesOf(asked: QueueWorkersOptions['devices'], present: readonly string[]): string[] {
  const gpus = present.filter((name) => name !== 'cpu');
  const all = gpus.length > 0 ? gpus : ['cpu'];
  if (asked === 'all') return all;
  if (typeof asked === 'number') return all.slice(0, asked);
  if (asked === undefined) return [resolveDevice(undefined, present)];
  return asked.map((name) => resolveDevice(name, present));
}

/**
 * The command: works until SIGTERM or SIGINT.
 * @returns the exit code: 75 if a shard was given back, else 0.
 */
export async function runWorker(options: QueueWorkersOptions): Promise<0 | 75> {
  const workers = await startQueueWorkers(options).catch((thrown: unknown) => {
    throw asSaeEvalError(thrown, 'The worker');
  });
  options.log(`computes shards on ${workers.devices.join(', ')}`);
  const onSignal = (): void => {
    process.removeListener('SIGTERM', onSignal).removeListener('SIGINT', onSignal);
    options.log('stopping; finished batches are kept');
    workers.stop();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return (await workers.ended) ? 75 : 0;
}
