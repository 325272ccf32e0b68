/**
 * Whether the store can be written. A fault of the disk (an I/O error, a quota, a stale handle, a
 * lock, a read-only mount) passes: who met it tries again, and this says so meanwhile.
 */
import type { FastifyBaseLogger } from 'fastify';
import { asSaeEvalError, SaeEvalError } from '../../src/errors.js';
import type { Store } from './store.js';

/** Codes of SQLite that speak of the disk, not of a statement or a value. */
const ofTheDisk =
  /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|PROTOCOL|PERM|NOMEM|CORRUPT|NOTADB)/;

/** Milliseconds for which a successful check of the store counts: it writes to the disk. */
const checkedFor = 1000;

export function isStoreFault(thrown: unknown): boolean {
  return ofTheDisk.test(String((thrown as NodeJS.ErrnoException | null)?.code));
}

/** The error that a caller sees for a fault of the store. */
export function storeError(thrown: unknown): SaeEvalError {
  const error = asSaeEvalError(thrown, 'The store');
  if (error.code !== 'internal') return error;
  const { code, message } = thrown as NodeJS.ErrnoException;
  return new SaeEvalError(
    'unavailable',
    `The store cannot be read or written at present (${code}: ${message}); check the disk and ` +
      'the mount of --db. The server tries again by itself.',
    { cause: thrown },
  );
}

export class StoreHealth {
  #problem: SaeEvalError | null = null;
  #checked = -Infinity;

  /** @param onRecovery called when the store can be written again. */
  constructor(
    private readonly store: Store,
    private readonly log: FastifyBaseLogger,
    private readonly onRecovery: () => void,
  ) {}

  /** Why the store cannot be written, as of the last try; null if it can. */
  get problem(): SaeEvalError | null {
    return this.#problem;
  }

  /** Writes to the store, at most once a second unless it failed. Returns the problem, or null. */
  check(): SaeEvalError | null {
    if (this.#problem === null && performance.now() - this.#checked < checkedFor) return null;
    try {
      this.write(() => this.store.check());
    } catch (thrown) {
      return storeError(thrown);
    }
    return null;
  }

  /** Does what writes to the store, and keeps whether that worked. @throws what it throws. */
  write<T>(action: () => T): T {
    const value = this.read(action);
    this.#checked = performance.now();
    if (this.#problem !== null) {
      this.#problem = null;
      this.log.warn('the store can be written again');
      this.onRecovery();
    }
    return value;
  }

  /** Does what reads the store: a failure tells of the disk, a success does not. */
  read<T>(action: () => T): T {
    try {
      return action();
    } catch (thrown) {
      if (isStoreFault(thrown)) this.#failed(thrown);
      throw thrown;
    }
  }

  #failed(thrown: unknown): void {
    const isNew = this.#problem === null;
    this.#problem = storeError(thrown);
    if (isNew)
      this.log.error(
        { err: thrown },
        'the store cannot be read or written; trying again until it can',
      );
  }
}
