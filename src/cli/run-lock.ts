/**
 * One run writes to a folder or a journal at a time. The lock is a file with the process that has
 * it; that of a process that was killed is taken over.
 */
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { living, parsedIdentity, processIdentity } from '../process-identity.js';

/** Milliseconds after which a lock without content is one of a process that was killed. */
const longestWritten = 10_000;

/** Whoever has a lock, in words. */
export interface HeldLock {
  heldBy: string;
}

function contentOf(lock: string): { text: string; age: number } | null {
  try {
    return { text: readFileSync(lock, 'utf8'), age: Date.now() - statSync(lock).mtimeMs };
  } catch {
    return null;
  }
}

/** Whoever has the lock with this content; null if nobody has it any more. */
function holderOf({ text, age }: { text: string; age: number }): string | null {
  const [first = '', host = ''] = text.split('\n');
  const identity = parsedIdentity(first);
  if (identity === null) return age > longestWritten ? null : 'another process';
  if (host !== hostname()) return `process ${identity.pid} on ${host}`;
  return living(identity) === null ? null : `process ${identity.pid}`;
}

/** Takes a lock that nobody has any more out of the way; false if somebody was quicker. */
function clear(lock: string, stale: string): boolean {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
  } catch {
    return false;
  }
  const isStale = contentOf(aside)?.text === stale;
  // The lock of another process that took the old one's place goes back.
  if (isStale) rmSync(aside, { force: true });
  else renameSync(aside, lock);
  return isStale;
}

/**
 * Takes a lock.
 * @returns the function that gives it back, or whoever has it.
 * @throws Error with Node's code if the file cannot be written.
 */
export function takeLock(lock: string): (() => void) | HeldLock {
  for (;;) {
    try {
      const file = openSync(lock, 'wx');
      writeSync(file, `${JSON.stringify(processIdentity(process.pid))}\n${hostname()}\n`);
      closeSync(file);
      return () => rmSync(lock, { force: true });
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    }
    const content = contentOf(lock);
    const heldBy = content === null ? null : holderOf(content);
    if (heldBy !== null) return { heldBy };
    if (content !== null) clear(lock, content.text);
  }
}
