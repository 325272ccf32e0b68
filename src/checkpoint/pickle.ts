/**
 * A restricted reader of Python pickles (protocols 2 to 5, https://peps.python.org/pep-0574/ and
 * before). It builds plain values only: a global is looked up in an allow-list that the caller
 * gives, and nothing else exists. No code of a file can run, because there is none to run. There is
 * no recursion, and no file can make the reader allocate a size that it merely claims.
 */
import { SaeEvalError } from '../errors.js';
import { PickleBytes, PickleTruncated } from './pickle-bytes.js';
import { PickleMachine, type PickleOptions } from './pickle-machine.js';
import { opcodes, stop } from './pickle-opcodes.js';

/** Reads the pickles that follow each other in the bytes of a file. */
export class PickleReader {
  readonly #bytes: PickleBytes;
  readonly #options: PickleOptions;
  readonly #made = { items: 0 };

  constructor(bytes: Uint8Array, options: PickleOptions) {
    this.#bytes = new PickleBytes(bytes, options.file);
    this.#options = options;
  }

  /** Offset of the next pickle. */
  get position(): number {
    return this.#bytes.position;
  }

  /**
   * Value of the next pickle.
   * @throws SaeEvalError `checkpoint-forbidden` with the first global that is not allowed,
   *   `checkpoint-module`, or `checkpoint-format`, which is a {@link PickleTruncated} if the bytes
   *   end before the pickle does.
   */
  read(): unknown {
    const machine = new PickleMachine(this.#bytes, this.#options, this.#made);
    let value: unknown = null;
    let failure: SaeEvalError | null = null;
    try {
      value = this.#run(machine);
    } catch (error) {
      if (
        !(error instanceof SaeEvalError) ||
        error instanceof PickleTruncated ||
        error.code === 'checkpoint-module'
      )
        throw error;
      failure = error;
    }
    // The pickle is read on after a forbidden global only to tell a pickled module from the rest.
    if (machine.forbidden !== null) {
      throw new SaeEvalError(
        'checkpoint-forbidden',
        `${this.#options.file}: the pickle names '${machine.forbidden.name}', which is not ` +
          'on the list of what a state_dict needs. Nothing was run. Save ' +
          'torch.save(model.state_dict(), path).',
      );
    }
    if (failure !== null) throw failure;
    return value;
  }

  #run(machine: PickleMachine): unknown {
    for (;;) {
      const code = this.#bytes.u8();
      if (code === stop) return machine.pop();
      const step = opcodes.get(code);
      if (step === undefined)
        this.#bytes.fail(`opcode 0x${code.toString(16)} is not one that torch.save writes`);
      step(machine);
    }
  }
}
