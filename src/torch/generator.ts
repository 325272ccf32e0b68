/** Separate streams of random numbers, for operators that take a `generator`. */
import { adopt, native, onLoad } from './native.js';
import type { Tensor } from './tensor.js';

export interface Generator {
  /** `cpu` or `cuda:N`. */
  readonly device: string;
  /** Restarts the stream from a seed. Returns the generator. */
  manualSeed(seed: number | bigint): Generator;
  /** The seed of the stream. */
  initialSeed(): bigint;
  /** The whole state, as a uint8 tensor on the CPU. */
  getState(): Tensor;
  setState(state: Tensor): Generator;
}

interface GeneratorClass {
  new (device?: string): Generator;
  prototype: Generator;
}

/**
 * A generator on a device (default `cpu`). With the same seed, its numbers are PyTorch's.
 * @throws TorchError `torch-argument` if the text names no device, `torch-operator` if this machine
 *   does not have it.
 * @example ops.randn([2, 3], { generator: new Generator().manualSeed(1) })
 */
export const Generator = class Generator {
  constructor(device?: string) {
    return new (native().Generator)(device);
  }
} as unknown as GeneratorClass;
onLoad((addon) => adopt(addon.Generator, Generator));
