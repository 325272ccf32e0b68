/** Compute processes that outlived their server. */
import { living, parsedIdentity } from '../../src/process-identity.js';

export {
  living,
  parsedIdentity,
  processIdentity,
  type ProcessIdentity,
} from '../../src/process-identity.js';

/**
 * Kills a compute process that outlived its server, so that it does not write a journal. One whose
 * parent lives belongs to that server, whose database this one may be a copy of.
 */
export function killOrphan(stored: string | null): void {
  const identity = parsedIdentity(stored);
  const found = identity === null ? null : living(identity);
  if (identity === null || found === null || found.parent === identity.parent) return;
  try {
    process.kill(found.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
