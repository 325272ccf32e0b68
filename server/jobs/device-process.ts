/** The compute process of a device: started until it answers, or until the device is gone. */
import type { ComputeProcess } from '../../src/compute/host.js';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import { pause } from './patience.js';
import type { WorkerOptions } from './worker-host.js';

const betweenStarts = 2000;

export class DeviceProcess {
  readonly compute: ComputeProcess;
  /** Reason for which it does not answer; null if it does, or if that is unknown. */
  problem: string | null = null;
  /** Whether a new process did not find the device that there was at the start. */
  isGone = false;
  /** Whether it ended and none was started since. */
  hasDied = false;

  constructor(
    private readonly options: Pick<WorkerOptions, 'device' | 'compute'>,
    private readonly log: (message: string, details: object) => void,
  ) {
    this.compute = options.compute;
  }

  /** Starts it until it answers: a failed start is no evaluation's fault. */
  async untilItAnswers(
    { orIsGone = false }: { orIsGone?: boolean },
    ...signals: AbortSignal[]
  ): Promise<void> {
    while (!signals.some(({ aborted }) => aborted) && !(await this.#answers(...signals))) {
      if (orIsGone && this.isGone) return;
      await pause(betweenStarts, ...signals);
    }
  }

  /** Starts a process if none answers. Returns whether one answers and has the device. */
  async #answers(...signals: AbortSignal[]): Promise<boolean> {
    const { device } = this.options;
    try {
      if (!this.compute.answers) {
        const { devices } = await this.compute.describe();
        this.isGone = !devices.some(({ name }) => name === device);
        if (this.isGone) {
          // A process never sees a device that comes back.
          await this.compute.end();
          throw new SaeEvalError('device-unavailable', `The device ${device} is gone.`);
        }
      }
    } catch (thrown) {
      const reason = asSaeEvalError(thrown, 'The compute process').message;
      if (signals.some(({ aborted }) => aborted)) return false;
      this.problem = reason;
      this.log('no compute process answers; trying again', { device, reason });
      return false;
    }
    this.hasDied = false;
    this.problem = null;
    return true;
  }
}
