/** Devices whose memory holds blocks of a model that is too large for the device that computes. */
import { itemBytes } from '../checkpoint/dtypes.js';
import { asSaeEvalError } from '../errors.js';
import { cuda } from '../torch/index.js';
import type { OpenedTensor, Weights } from './weights.js';

/** Part of a device's free memory that is left to others. */
const left = 1 / 16;

function bytesOf(tensors: readonly OpenedTensor[]): number {
  return tensors.reduce((sum, { stored: { entry }, options }) => {
    const numel = entry.shape.reduce((product, size) => product * size, 1);
    return sum + numel * itemBytes[options.dtype ?? entry.dtype];
  }, 0);
}

export class WeightDevices {
  /** Number of blocks that each device holds. */
  readonly held = new Map<string, number>();
  /** Bytes that each device may still take. */
  readonly #room: Map<string, number>;

  /** @param devices names of CUDA devices, the first of which is filled first. */
  constructor(
    private readonly weights: Weights,
    devices: readonly string[],
  ) {
    this.#room = new Map(
      devices.map((name) => {
        const { freeBytes, reservedBytes, allocatedBytes } = cuda.memory(name);
        return [name, (freeBytes + reservedBytes - allocatedBytes) * (1 - left)];
      }),
    );
  }

  /** Brings a block to a device that has room for it. @returns whether one has. */
  take(tensors: readonly OpenedTensor[]): boolean {
    const bytes = bytesOf(tensors);
    for (const [name, room] of this.#room) {
      if (bytes > room) continue;
      try {
        this.weights.park(tensors, name);
      } catch (thrown) {
        if (asSaeEvalError(thrown).code !== 'device-memory') throw thrown;
        // Somebody else took it meanwhile.
        this.#room.set(name, 0);
        continue;
      }
      this.#room.set(name, room - bytes);
      this.held.set(name, (this.held.get(name) ?? 0) + 1);
      return true;
    }
    return false;
  }
}
