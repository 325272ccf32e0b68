import { readFileSync } from 'node:fs';

/**
 * Whether the process runs. One that has ended and was not waited for is no more, though its id is
 * taken until then: the first process of a container may take seconds to wait for an orphan.
 */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
