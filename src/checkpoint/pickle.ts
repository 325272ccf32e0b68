/**
 * A restricted reader of Python pickles (protocols 0 to 5, https://peps.python.org/pep-0574/ and
 * before). It builds plain values only: a global is looked up in an allow-list that the caller
 * gives, and any other name becomes a stand-in that does nothing. No code of a file can run,
 * because there is none to run. There is no recursion, and no file can make the reader allocate a
 * size that it merely claims.
 */
import { PickleBytes } from './pickle-bytes.js';
import { PickleMachine, type PickleOptions } from './pickle-machine.js';
import { opcodes, stop } from './pickle-opcodes.js';

/** Reads the pickles that follow each other in the bytes of a file. */
export class PickleReader {
  readonly #bytes: PickleBytes;
  readonly #options: PickleOptions;
  readonly #made = { items: 0 };
  #unknown: string | null = null;

  constructor(bytes: Uint8Array, options: PickleOptions) {
    this.#bytes = new PickleBytes(bytes, options.file);
    this.#options = options;
  }

  /** Offset of the next pickle. */
  get position(): number {
    return this.#bytes.position;
  }

  /** Name of the first global of all pickles read that is not on the list; null without one. */
  get unknown(): string | null {
    return this.#unknown;
  }

  /**
   * Value of the next pickle.
   * @throws SaeEvalError `checkpoint-format`, which is a PickleTruncated if the bytes end before
   *   the pickle does.
   */
  read(): unknown {
    const machine = new PickleMachine(this.#bytes, this.#options, this.#made);
    for (;;) {
      const code = this.#bytes.u8();
      if (code === stop) {
        this.#unknown ??= machine.unknown;
        return machine.pop();
      }
      const step = opcodes.get(code);
      if (step === undefined)
        this.#bytes.fail(`opcode 0x${code.toString(16)} is not one that torch.save writes`);
      step(machine);
    }
  }
}
