/**
 * How weights come from a file into memory. On a local disk they are mapped: nothing is copied, and
 * the system can reclaim the pages. On a network file system they are read: mapped pages come in
 * one round trip at a time, and one that cannot be brought kills the process (SIGBUS) where a read
 * gives an error. `SAE_EVAL_WEIGHTS` decides otherwise: `map` or `read` for all files, `auto` by
 * the file system of each.
 */
import { statfsSync } from 'node:fs';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { holding, holdingFile } from '../files/index.js';
import { mapFile, type MappedFile } from '../torch/index.js';

export const weightModes = ['auto', 'map', 'read'] as const;
export type WeightMode = (typeof weightModes)[number];

/** Environment variable with the mode. */
export const weightsVariable = 'SAE_EVAL_WEIGHTS';

/** Network file systems by the `f_type` of statfs(2): linux/magic.h and the systems' sources. */
const networkFileSystems = new Map<number, string>([
  [0x6969, 'NFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x517b, 'SMB'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'kAFS'],
  [0x73757245, 'Coda'],
  [0x01021997, '9P'],
  [0x19830326, 'BeeGFS'],
  [0x20030528, 'OrangeFS'],
  [0xaad7aaea, 'PanFS'],
  [0x18031977, 'WekaFS'],
]);

/** Name of the network file system with that number; null for local ones. */
export function networkFileSystem(type: number): string | null {
  // 32-bit systems give the number with a sign.
  return networkFileSystems.get(type >>> 0) ?? null;
}

/** @throws SaeEvalError `configuration-invalid` if the variable holds something else. */
export function weightMode(env: NodeJS.ProcessEnv = process.env): WeightMode {
  const given = env[weightsVariable] ?? '';
  if (given === '') return 'auto';
  const mode = weightModes.find((one) => one === given);
  if (mode !== undefined) return mode;
  throw new SaeEvalError(
    'configuration-invalid',
    `${weightsVariable}: expected ${weightModes.join(', ')}, found ${given}.`,
  );
}

function isOnNetwork(path: string): boolean {
  try {
    return holding(path, ({ through }) => networkFileSystem(statfsSync(through).type) !== null);
  } catch {
    return false; // Opening the file says why.
  }
}

/** Whether weights of a file, or of the files in a folder, are read and not mapped. */
export function areWeightsRead(path: string): boolean {
  const mode = weightMode();
  return mode === 'read' || (mode === 'auto' && isOnNetwork(path));
}

/** Result of `use` on a file; errors name it by its path, not by the way it was opened. */
function named<T>({ path, through }: { path: string; through: string }, use: () => T): T {
  try {
    return use();
  } catch (thrown) {
    const { code, message } = asSaeEvalError(thrown, path);
    throw new SaeEvalError(code, message.replaceAll(through, path), { cause: thrown });
  }
}

/** Opens a file of weights, mapped or to be read. The caller closes it. */
export function openWeights(path: string): MappedFile {
  return named({ path, through: path }, () =>
    holdingFile(path, ({ through }) => {
      const file = named({ path, through }, () => mapFile(through, { read: areWeightsRead(path) }));
      return {
        path,
        byteLength: file.byteLength,
        tensor: (options) => named({ path, through }, () => file.tensor(options)),
        close: () => file.close(),
      };
    }),
  );
}
