/**
 * The server that a store belongs to, written in the store itself: a lock beside the database is
 * lost if somebody tidies it away, and another path may lead to the same file.
 */
import { statSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { SaeEvalError } from '../../src/errors.js';
import { living, parsedIdentity, processIdentity } from './process-identity.js';
import { isStoreFault } from './store-health.js';
import type { Store } from './store.js';

const betweenTries = 100;

/** The very file, which a copy is not. */
function placeOf(database: string): string {
  const { dev, ino } = statSync(database, { bigint: true });
  return `${dev} ${ino}`;
}

/** Process of another server of this machine that has the store; null if none has. */
function otherOwner(store: Store, database: string): number | null {
  const { place = null, identity = null } = JSON.parse(store.fact('owner') ?? '{}') as {
    place?: string;
    identity?: string;
  };
  const owner = parsedIdentity(identity);
  if (owner === null || place !== placeOf(database) || owner.pid === process.pid) return null;
  return living(owner)?.pid ?? null;
}

/** Writes who owns a store; a store that cannot be written stays locked beside its file. */
function write(store: Store, owner: { place?: string; identity?: string }): void {
  try {
    store.setFact('owner', JSON.stringify(owner));
  } catch (thrown) {
    if (!isStoreFault(thrown)) throw thrown;
  }
}

/**
 * Makes this process the owner of a store, and waits meanwhile for a server that is stopping.
 * @returns a function that gives the store up: its process may live on after its server.
 * @throws SaeEvalError `configuration-invalid` if another server has it after `patienceMs`.
 */
export async function claimStore(
  store: Store,
  database: string,
  { patienceMs }: { patienceMs: number },
): Promise<() => void> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const other = otherOwner(store, database);
    if (other === null) break;
    if (performance.now() >= until)
      throw new SaeEvalError(
        'configuration-invalid',
        `${database} is in use by another server (process ${other}); stop that server, or give ` +
          'another file with --db.',
      );
    await setTimeout(betweenTries);
  }
  const identity = JSON.stringify(processIdentity(process.pid));
  write(store, { place: placeOf(database), identity });
  return () => write(store, {});
}
