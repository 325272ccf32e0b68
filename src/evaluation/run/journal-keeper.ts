/** Keeps the journal of a run: writes it when it is due, and what is left at an early end. */
import type { Bilingual } from '../../bilingual.js';
import { asSaeEvalError } from '../../errors.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import type { InputFiles } from './input-files.js';
import type { Journal, RunState } from './journal.js';

/**
 * Why a file beside the result cannot be written, unless the disk is full. The run goes on: its
 * numbers do not depend on the file.
 * @throws SaeEvalError `storage-full`.
 */
export function notWritten(thrown: unknown, { en, zh }: Bilingual): Bilingual {
  const error = asSaeEvalError(thrown, `The ${en}`);
  if (error.code === 'storage-full') throw error;
  return {
    en: `The ${en} could not be written (${error.message}); the run went on without it.`,
    zh: `无法写入${zh}（${error.message}）；本次运行在没有它的情况下继续。`,
  };
}

export interface JournalKeeperOptions {
  /** Null if the run has none. */
  journal: Journal | null;
  files: InputFiles;
  accumulator: Accumulator;
  /** The state as of now. */
  state: () => Omit<RunState, 'accumulator'>;
  /** Told if the journal cannot be written. */
  notice: (text: Bilingual) => void;
}

export class JournalKeeper {
  readonly #options: JournalKeeperOptions;
  #isWriting: boolean;
  #written: number;

  constructor(options: JournalKeeperOptions) {
    this.#options = options;
    this.#isWriting = options.journal !== null;
    this.#written = options.accumulator.batchSizes.length;
  }

  /** Writes the finished batches, if writing is due. @throws SaeEvalError `input-changed`. */
  writeIfDue(): void {
    if (this.#options.journal?.due === true) this.#write();
  }

  /** Writes the finished batches that are not written yet. */
  keep(): void {
    if (this.#options.accumulator.batchSizes.length > this.#written) this.#write();
  }

  /** {@link keep} for a run that ends with another fault to tell. */
  keepQuietly(): void {
    try {
      this.keep();
    } catch {
      // The journal has the state before.
    }
  }

  /** Nothing more is written: what the accumulator has next is no whole batch. */
  end(): void {
    this.#isWriting = false;
  }

  #write(): void {
    const { journal, files, accumulator, state, notice } = this.#options;
    if (journal === null || !this.#isWriting) return;
    files.check();
    try {
      journal.write({ ...state(), accumulator });
    } catch (thrown) {
      notice(notWritten(thrown, { en: 'journal', zh: '运行日志' }));
      this.#isWriting = false;
    }
    this.#written = accumulator.batchSizes.length;
  }
}
