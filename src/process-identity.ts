/**
 * Identities of processes. An id alone is none: systems use ids again, containers count them anew,
 * and a database may be copied to another machine.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  pid: number;
  /** The boot, the namespace of ids and the time of start, which no other process has together. */
  born: string;
  /** Id of the process that started it, or took it over from one that ended. */
  parent: number;
}

/** Identity of a living process; null if there is none, or the system cannot tell. */
export function processIdentity(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before the fields may hold anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, parent] = fields;
    const started = fields[19];
    if (started === undefined || state === 'Z' || state === 'X') return null;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const namespace = readlinkSync('/proc/self/ns/pid');
    return { pid, born: [boot, namespace, started].join(' '), parent: Number(parent) };
  } catch {
    return null;
  }
}

/** The living process of an identity; null if it has ended. */
export function living({ pid, born }: ProcessIdentity): ProcessIdentity | null {
  const found = processIdentity(pid);
  return found?.born === born ? found : null;
}

/** An identity that was stored as JSON; null if the text is none. */
export function parsedIdentity(text: string | null): ProcessIdentity | null {
  try {
    const { pid, born, parent } = JSON.parse(text ?? 'null') as Partial<ProcessIdentity>;
    return typeof pid === 'number' && typeof born === 'string' && typeof parent === 'number'
      ? { pid, born, parent }
      : null;
  } catch {
    return null;
  }
}
