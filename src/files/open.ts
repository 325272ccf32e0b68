/** Opens the files that requests name. Nothing else in the readers does. */
import { closeSync, constants, openSync, statfsSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { SaeEvalError } from '../errors.js';
import { confinedTo, leadsOutside } from './confinement.js';
import { holding, type Held } from './held.js';

/** A file that changes its kind after the look at it is not waited for either. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * File systems whose files have no end, or hold the system's own state, by the `f_type` of
 * statfs(2): proc, sysfs, debugfs, tracefs, securityfs, cgroup, cgroup2, bpf.
 */
const ofTheSystem = new Set([
  0x9fa0, 0x62656572, 0x64626720, 0x74726163, 0x73636673, 0x27e0eb, 0x63677270, 0xcafe4a11,
]);

/**
 * Result of `use` on a file that may be read and has an end.
 * @throws SaeEvalError `path-outside-roots`; `file-unreadable` for a folder, a pipe or a device.
 * @throws Error with Node's code, such as `ENOENT`.
 */
export function holdingFile<T>(path: string, use: (held: Held) => T): T {
  return holding(path, (held) => {
    const { facts, through } = held;
    if (!facts.isFile())
      throw new SaeEvalError(
        'file-unreadable',
        `${path}: expected a file, found ` +
          (facts.isDirectory() ? 'a folder.' : 'a pipe, a socket or a device.'),
      );
    if (confinedTo() !== null && ofTheSystem.has(statfsSync(through).type >>> 0))
      throw leadsOutside(path);
    return use(held);
  });
}

/** A file descriptor to read from. The caller closes it. Throws like {@link holdingFile}. */
export function openFile(path: string): number {
  return holdingFile(path, ({ through }) => openSync(through, flags));
}

/** As {@link openFile}, for reads that do not block this thread. */
export async function openFileHandle(path: string): Promise<FileHandle> {
  const descriptor = openFile(path);
  try {
    return await open(`/proc/self/fd/${descriptor}`, flags);
  } finally {
    closeSync(descriptor);
  }
}
