/** The journal of a run without `--out`, in the user's folder for the state of programs. */
import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { asSaeEvalError } from '../errors.js';
import { makeFolder } from '../files/index.js';
import { withoutAnnotations, type EvaluationRequest } from '../schema/index.js';
import { takeLock } from './run-lock.js';
import { say } from './say.js';

/** Days for which the journal of a run that nobody continues is kept. */
const longestKept = 30;

/** Removes what runs of long ago left. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!/^[0-9a-f]{32}\.journal/.test(name)) continue;
    const path = join(folder, name);
    const facts = statSync(path, { throwIfNoEntry: false });
    const days = (Date.now() - (facts?.mtimeMs ?? Date.now())) / 86_400_000;
    if (days > longestKept) rmSync(path, { recursive: true, force: true });
  }
}

export interface OwnJournal {
  /** Path; null if none can be kept. */
  path: string | null;
  release(): void;
}

/**
 * The journal of a request; the same command gives the same one. Where none can be kept, the run
 * goes on without, and says so.
 */
export function ownJournal(request: EvaluationRequest): OwnJournal {
  const given = process.env['XDG_STATE_HOME'] ?? '';
  const state = isAbsolute(given) ? given : join(homedir(), '.local', 'state');
  const folder = join(state, 'sae-eval');
  const key = createHash('sha256')
    .update(JSON.stringify([process.cwd(), withoutAnnotations(request)]))
    .digest('hex')
    .slice(0, 32);
  const path = join(folder, `${key}.journal`);
  const without = (why: string): OwnJournal => {
    say(`sae-eval: No journal is kept, so that this run cannot be continued: ${why}`);
    return { path: null, release: () => {} };
  };
  try {
    makeFolder(folder);
    sweep(folder);
    const lock = takeLock(`${path}.lock`);
    if (typeof lock === 'function') return { path, release: lock };
    return without(`${lock.heldBy} computes the same.`);
  } catch (thrown) {
    return without(
      `${asSaeEvalError(thrown, folder).message}. XDG_STATE_HOME names another place.`,
    );
  }
}
