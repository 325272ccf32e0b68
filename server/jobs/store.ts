/**
 * All evaluations of a server in one SQLite file: requests, states, progress, results. Beside it
 * lie the sums of the results.
 */
import { Listing } from './listing.js';
import { StoreFile } from './store-file.js';
import { StoredEvaluations } from './stored-evaluations.js';
import { StoredJobs } from './stored-jobs.js';
import { SumsFolder } from './sums-folder.js';

export class Store {
  readonly evaluations: StoredEvaluations;
  readonly jobs: StoredJobs;
  readonly sums: SumsFolder;
  readonly #file: StoreFile;

  /**
   * Opens the file, or makes it.
   * @param shared whether other keys may read evaluations whose requests do not say.
   * @param rewrite whether a large file of an earlier version is written anew, so that it shrinks.
   * @throws SaeEvalError `storage-damaged`, `configuration-invalid`.
   */
  constructor(
    path: string,
    { shared = false, rewrite = false }: { shared?: boolean; rewrite?: boolean } = {},
  ) {
    const file = new StoreFile(path, { rewrite });
    this.#file = file;
    try {
      this.sums = new SumsFolder(path);
      const listing = new Listing(file);
      this.evaluations = new StoredEvaluations({ file, listing, sums: this.sums, shared });
      this.jobs = new StoredJobs({ file, listing });
    } catch (thrown) {
      // An open file would keep its locks.
      file.close();
      throw thrown;
    }
  }

  /** Writes an unchanged value to the file. @throws if the file cannot be written. */
  check(): void {
    this.#file.check();
  }

  /** A fact of the store itself; null if it has none of this name. */
  fact(name: string): string | null {
    const row = this.#file.get<{ value: unknown }>('SELECT value FROM facts WHERE name = ?', name);
    return row === undefined ? null : String(row.value);
  }

  setFact(name: string, value: string): void {
    this.#file.run('INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)', name, value);
  }

  close(): void {
    this.#file.close();
  }
}
