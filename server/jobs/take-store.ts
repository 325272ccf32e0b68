/** The store of a server, locked and claimed for it, with a sentence for whoever cannot have it. */
import { SaeEvalError } from '../../src/errors.js';
import type { ResolvedServerOptions } from '../options.js';
import { isStoreFault } from './store-health.js';
import { lockStore } from './store-lock.js';
import { claimStore } from './store-owner.js';
import { Store } from './store.js';

/** @throws SaeEvalError `configuration-invalid` if the file is not a store of this version. */
function openStore({ db: file, shared, keepDays, keepEvaluations }: ResolvedServerOptions): Store {
  try {
    const rewrite = keepDays !== undefined || keepEvaluations !== undefined;
    return new Store(file, { shared, rewrite });
  } catch (thrown) {
    const { code, message } = thrown as Partial<NodeJS.ErrnoException>;
    if (!/^SQLITE_(NOTADB|CORRUPT|CANTOPEN|READONLY)/.test(code ?? '')) {
      if (!isStoreFault(thrown)) throw thrown;
      throw new SaeEvalError(
        code?.startsWith('SQLITE_FULL') === true ? 'storage-full' : 'unavailable',
        `The store ${file} cannot be opened at present (${code}: ${message}): the disk is full, ` +
          'fails, or is mounted read-only. Start the server again when it is mended.',
        { cause: thrown },
      );
    }
    throw new SaeEvalError(
      'configuration-invalid',
      `${file} cannot be used as the store (${message}); give another file with --db.`,
      { cause: thrown },
    );
  }
}

/**
 * Takes the store for this server.
 * @returns the store, and the function that closes it and gives it up.
 * @throws SaeEvalError `configuration-invalid` if another server has it or the file is no store of
 *   this version; `unavailable`, `storage-full`, `storage-damaged`.
 */
export async function takeStore(
  options: ResolvedServerOptions,
): Promise<{ store: Store; release: () => void }> {
  const patience = { patienceMs: options.grace * 1000 };
  const unlock = await lockStore(options.db, patience);
  try {
    const store = openStore(options);
    try {
      const giveUp = await claimStore(store, options.db, patience);
      const release = (): void => {
        giveUp();
        store.close();
        unlock();
      };
      return { store, release };
    } catch (thrown) {
      store.close();
      throw thrown;
    }
  } catch (thrown) {
    unlock();
    throw thrown;
  }
}
