/** Random numbers from a stream of their own, for operators that take a `generator`. */
import { adopt, native, onLoad } from './native.js';
import type { Tensor } from './tensor.js';

export interface Generator {
  /** `cpu` or `cuda:N`. */
  readonly device: string;
  /** Begins the stream anew. Returns the generator. */
  manualSeed(seed: number | bigint): Generator;
  /** What the stream began with. */
  initialSeed(): bigint;
  /** The whole state, a uint8 tensor on the CPU. */
  getState(): Tensor;
  setState(state: Tensor): Generator;
}

interface GeneratorClass {
  new (device?: string): Generator;
  prototype: Generator;
}

/**
 * A generator on a device (default `cpu`); the same seed gives the same numbers as PyTorch's.
 * @throws TorchError `torch-argument` for what is no device, `torch-operator` where it is not on
 *   this machine.
 * @example ops.randn([2, 3], { generator: new Generator().manualSeed(1) })
 */
export const Generator = class Generator {
  constructor(device?: string) {
    return new (native().Generator)(device);
  }
} as unknown as GeneratorClass;
onLoad((addon) => adopt(addon.Generator, Generator));
