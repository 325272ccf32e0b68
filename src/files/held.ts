/**
 * Holds what a path leads to, so that what was checked is what is read. Linux's `O_PATH` takes a
 * hold of a file without opening it: that neither waits for the other end of a pipe nor rouses a
 * device. What is held is looked at, and then opened through `/proc/self/fd`, by which no link that
 * is swapped in meanwhile is followed.
 */
import { closeSync, fstatSync, openSync, readlinkSync, type BigIntStats } from 'node:fs';
import {
  confinedTo,
  isNamedWithin,
  leadsOutside,
  leavesOnItsWay,
  type Within,
} from './confinement.js';

/** `O_PATH` of Linux on x86-64 and arm64, which Node.js does not name. */
const O_PATH = 0o10000000;

/** Thing that a path leads to. */
export interface Held {
  /** Path by which it is opened, listed or mapped. */
  readonly through: string;
  readonly facts: BigIntStats;
  /** Real path. */
  readonly real: string;
}

/** Takes hold of a path; whoever asked lets go. */
function hold(path: string, within: Within): { held: Held; letGo: () => void } {
  if (!isNamedWithin(path, within)) throw leadsOutside(path);
  let descriptor: number;
  try {
    descriptor = openSync(path, O_PATH);
  } catch (thrown) {
    if (within !== null && leavesOnItsWay(path, within)) throw leadsOutside(path);
    throw thrown;
  }
  const letGo = (): void => closeSync(descriptor);
  try {
    const through = `/proc/self/fd/${descriptor}`;
    const real = readlinkSync(through);
    if (!isNamedWithin(real, within)) throw leadsOutside(path);
    return { held: { through, real, facts: fstatSync(descriptor, { bigint: true }) }, letGo };
  } catch (thrown) {
    letGo();
    throw thrown;
  }
}

/** Makes an error of the system name the file, and not the way to it. */
function nameIn(thrown: unknown, { path, through }: { path: string; through: string }): void {
  if (!(thrown instanceof Error) || (thrown as NodeJS.ErrnoException).path !== through) return;
  (thrown as NodeJS.ErrnoException).path = path;
  thrown.message = thrown.message.replaceAll(through, path);
}

export interface HoldOptions {
  /** Folders that may be read; default those of this process. */
  within?: Within;
}

/**
 * Result of `use` on the thing at a path; it is let go afterwards.
 * @throws SaeEvalError `path-outside-roots` if it lies outside the folders that may be read.
 * @throws Error with Node's code, such as `ENOENT`.
 */
export function holding<T>(
  path: string,
  use: (held: Held) => T,
  { within = confinedTo() }: HoldOptions = {},
): T {
  const { held, letGo } = hold(path, within);
  try {
    return use(held);
  } catch (thrown) {
    nameIn(thrown, { path, through: held.through });
    throw thrown;
  } finally {
    letGo();
  }
}

/** {@link holding} for what takes its time. */
export async function holdingLater<T>(
  path: string,
  use: (held: Held) => Promise<T>,
  { within = confinedTo() }: HoldOptions = {},
): Promise<T> {
  const { held, letGo } = hold(path, within);
  try {
    return await use(held);
  } catch (thrown) {
    nameIn(thrown, { path, through: held.through });
    throw thrown;
  } finally {
    letGo();
  }
}
