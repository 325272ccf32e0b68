/**
 * TorchScript programs, as `torch.jit.save` writes them. Such a file is code: loading it is as safe
 * as running a program of its author. The readers of checkpoints run no code.
 */
import { native, type NativeScriptModule } from './native.js';
import { TorchError } from './errors.js';
import type { DType, Tensor } from './tensor.js';
import { PlainTorchError } from './torch-js.js';

/** Arguments and results: lists and tuples are arrays, dictionaries are Maps, None is null. */
export type ScriptValue =
  | Tensor
  | number
  | bigint
  | boolean
  | string
  | null
  | readonly ScriptValue[]
  | ReadonlyMap<string | number | boolean, ScriptValue>;

export class ScriptModule {
  readonly #native: NativeScriptModule;
  readonly #path: string;

  /**
   * Loads a file of `torch.jit.save`, which must come from a source that is trusted to run code on
   * this machine.
   * @throws TorchError `file-not-found`, `checkpoint-format`.
   */
  constructor(path: string, { device }: { device?: string } = {}) {
    if (typeof path !== 'string') throw new PlainTorchError('A string was expected');
    this.#path = path;
    try {
      this.#native = new (native().ScriptModule)(path, device);
    } catch (error) {
      // Programs for torch-js test for these words.
      const unreadable =
        error instanceof TorchError &&
        (error.code === 'file-not-found' || error.code === 'checkpoint-format');
      throw unreadable
        ? new TorchError(error.code, `Unrecognized data format: ${error.message}`)
        : error;
    }
  }

  toString(): string {
    return `ScriptModule(${JSON.stringify(this.#path)})`;
  }

  /** Names of its methods; `forward` is nearly always one. */
  methods(): string[] {
    return this.#native.methods();
  }

  /** A method's arguments and result, as TorchScript writes them. */
  schema(method = 'forward'): string {
    return this.#native.schema(method);
  }

  /**
   * Runs `forward` on another thread. A plain object at the end holds named arguments. The caller
   * owns the result. Rejects with TorchError `torch-argument` if the arguments do not fit,
   * `torch-operator` for exceptions of the program.
   */
  async forward<T = Tensor>(...args: unknown[]): Promise<T> {
    return (await this.#native.runAsync('forward', ...args)) as T;
  }

  /**
   * Runs `forward` on this thread.
   * @throws TorchError as `forward` rejects.
   */
  forwardSync<T = Tensor>(...args: unknown[]): T {
    return this.#native.run('forward', ...args) as T;
  }

  /** Runs the method of a name. */
  call<T = Tensor>(method: string, ...args: unknown[]): T {
    return this.#native.run(method, ...args) as T;
  }

  callAsync<T = Tensor>(method: string, ...args: unknown[]): Promise<T> {
    return this.#native.runAsync(method, ...args) as Promise<T>;
  }

  /** New handles on the module's own tensors: in-place operators change the module. */
  parameters(): Map<string, Tensor> {
    return new Map(this.#native.parameters());
  }

  buffers(): Map<string, Tensor> {
    return new Map(this.#native.buffers());
  }

  /** Moves the module itself. Returns it. */
  to({
    device,
    dtype,
    nonBlocking = false,
  }: {
    device?: string;
    dtype?: DType;
    nonBlocking?: boolean;
  }): this {
    this.#native.to(device, dtype, nonBlocking);
    return this;
  }

  /** Switches layers such as dropout to training, or to evaluation. */
  train(on = true): this {
    this.#native.train(on);
    return this;
  }

  cpu(): this {
    return this.to({ device: 'cpu' });
  }

  cuda(index?: number): this {
    return this.to({ device: index === undefined ? 'cuda' : `cuda:${index}` });
  }

  get disposed(): boolean {
    return this.#native.disposed();
  }

  /**
   * Frees the module when its running calls are done. A second call does nothing; any other use
   * then throws `tensor-disposed`.
   */
  dispose(): void {
    this.#native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  static isCudaAvailable(): boolean {
    return native().cudaDeviceCount() > 0;
  }

  eval(): this {
    return this.train(false);
  }
}
