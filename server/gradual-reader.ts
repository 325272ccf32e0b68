/**
 * Answers for files, read one after the other in the background and kept until the file changes. A
 * list does not wait for the last of them.
 */
import { asSaeEvalError } from '../src/errors.js';
import type { Inspected } from '../src/inspect/inspect.js';

/** Text that identifies a file and its state. */
export interface ReadFile {
  file: string;
  bytes: number;
  modified: number;
}

/** Reads files and tells each answer. */
export type ReadEach<T> = (
  files: string[],
  onAnswer: (index: number, answer: Inspected<T>, about: { isPassing: boolean }) => void,
) => Promise<void>;

interface Known<T> {
  stamp: string;
  answer: Inspected<T>;
  /** Monotonic time until which it counts. */
  until: number;
}

/** Milliseconds for which a file that took too long is not tried again: storage may recover. */
const keptIfPassing = 600_000;
/** Answers that are kept; those of files that are not listed any more go first. */
const mostKept = 4000;

const stampOf = ({ bytes, modified }: ReadFile): string => `${bytes} ${modified}`;

export class GradualReader<T> {
  readonly #known = new Map<string, Known<T>>();
  /** Files to be read, in the order of the first question. */
  readonly #missing = new Map<string, string>();
  readonly #listeners = new Set<() => void>();
  #reading: Promise<void> | null = null;
  #fault: unknown = null;

  constructor(private readonly read: ReadEach<T>) {}

  /**
   * Answers for files; undefined for those that were not read until the signal aborts.
   * @throws what reading throws.
   */
  async answers(
    files: readonly ReadFile[],
    signal: AbortSignal,
  ): Promise<(Inspected<T> | undefined)[]> {
    const missing = files.filter((file) => this.#answerOf(file) === undefined);
    for (const file of missing) this.#missing.set(file.file, stampOf(file));
    this.#start();
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const isOver =
          signal.aborted || missing.every((file) => this.#answerOf(file) !== undefined);
        if (!isOver && this.#fault === null) return;
        this.#listeners.delete(look);
        signal.removeEventListener('abort', look);
        if (isOver) resolve();
        else reject(asSaeEvalError(this.#fault, 'The list'));
      };
      this.#listeners.add(look);
      signal.addEventListener('abort', look, { once: true });
      look();
    });
    return files.map((file) => this.#answerOf(file));
  }

  #answerOf(file: ReadFile): Inspected<T> | undefined {
    const known = this.#known.get(file.file);
    return known?.stamp === stampOf(file) && known.until > performance.now()
      ? known.answer
      : undefined;
  }

  #start(): void {
    if (this.#reading !== null || this.#missing.size === 0) return;
    this.#fault = null;
    const batch = [...this.#missing];
    this.#reading = this.read(
      batch.map(([file]) => file),
      (index, answer, { isPassing }) => {
        const [file, stamp] = batch[index]!;
        if (this.#missing.get(file) === stamp) this.#missing.delete(file);
        this.#keep(file, {
          stamp,
          answer,
          until: isPassing ? performance.now() + keptIfPassing : Infinity,
        });
        this.#tell();
      },
    )
      .catch((thrown: unknown) => {
        // Who asks next begins again.
        this.#missing.clear();
        this.#fault = thrown;
      })
      .finally(() => {
        this.#reading = null;
        this.#tell();
        this.#start();
      });
  }

  #keep(file: string, known: Known<T>): void {
    this.#known.delete(file);
    this.#known.set(file, known);
    if (this.#known.size > mostKept) this.#known.delete(this.#known.keys().next().value!);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
