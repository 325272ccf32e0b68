/**
 * Weights that lie beside the configuration of a folder format under another name than the one that
 * is published: the configuration is theirs if it describes them.
 */
import { dirname, join, resolve } from 'node:path';
import { isFile, namesIn } from '../../files/index.js';
import type { Format } from './format.js';

/** A format that is a folder. */
export interface FolderFormat {
  readonly format: Format;
  readonly weights: readonly string[];
  readonly config: string;
}

export const checkpointEnding = /\.(?:pt|pth|bin|ckpt|npz|safetensors)$/;

/** Formats whose configuration lies in a folder, and whose own weights do not. */
function configuredIn(
  folder: string,
  formats: readonly FolderFormat[],
): { format: Format; configPath: string }[] {
  return formats.flatMap(({ format, weights, config }) => {
    const configPath = join(folder, config);
    const isTaken = weights.some((name) => isFile(join(folder, name)));
    return isFile(configPath) && !isTaken ? [{ format, configPath }] : [];
  });
}

/** Formats that the configuration beside a file of weights, or one folder above it, may be of. */
export function configuredBeside(
  path: string,
  formats: readonly FolderFormat[],
): { format: Format; configPath: string }[] {
  const folder = dirname(resolve(path));
  const deep = formats.filter(({ weights }) => weights.every((name) => name.includes('/')));
  return [
    ...configuredIn(
      folder,
      formats.filter((one) => !deep.includes(one)),
    ),
    ...configuredIn(dirname(folder), deep),
  ];
}

/** The one file of weights in a folder with such a configuration; null if none or several. */
export function onlyWeights(folder: string, formats: readonly FolderFormat[]): string | null {
  if (configuredIn(folder, formats).length === 0) return null;
  const names = namesIn(folder).filter((name) => checkpointEnding.test(name));
  return names.length === 1 ? join(folder, names[0]!) : null;
}
