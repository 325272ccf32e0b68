/**
 * Weights and configurations of folder formats under other names than those that are published: a
 * configuration belongs to the format whose keys it has, and to weights that it describes.
 */
import { dirname, join, resolve } from 'node:path';
import { SaeEvalError } from '../../errors.js';
import { isFile, namesIn } from '../../files/index.js';
import type { Format } from './format.js';
import { knowsMostKeys } from './vocabulary.js';

/** A format that is a folder. */
export interface FolderFormat {
  readonly format: Format;
  readonly weights: readonly string[];
  readonly config: string;
}

export const checkpointEnding = /\.(?:pt|pth|bin|ckpt|npz|safetensors)$/;

/** Whether a folder has the configuration and the weights of a format by their published names. */
const isPublished = (folder: string, { weights, config }: FolderFormat): boolean =>
  isFile(join(folder, config)) && weights.some((name) => isFile(join(folder, name)));

/** Formats whose configuration lies in a folder, and whose own weights do not. */
function configuredIn(
  folder: string,
  formats: readonly FolderFormat[],
): { format: Format; configPath: string }[] {
  return formats.flatMap((one) => {
    const configPath = join(folder, one.config);
    const isFree = isFile(configPath) && !isPublished(folder, one);
    return isFree ? [{ format: one.format, configPath }] : [];
  });
}

function knows({ vocabulary }: Format, configPath: string): boolean {
  try {
    return vocabulary !== undefined && knowsMostKeys(vocabulary, configPath);
  } catch (thrown) {
    // Describing the SAE says what is wrong with its configuration.
    if (thrown instanceof SaeEvalError) return false;
    throw thrown;
  }
}

/**
 * The format that a folder's names are of, or another one whose keys its configuration has: names
 * such as `sae.safetensors` and `config.json` are of several libraries.
 */
export function ofWords(
  named: Format,
  configPath: string,
  formats: readonly FolderFormat[],
): Format {
  if (knows(named, configPath)) return named;
  return formats.find(({ format }) => knows(format, configPath))?.format ?? named;
}

/** Formats that the configuration beside a file of weights, or one folder above it, may be of. */
export function configuredBeside(
  path: string,
  formats: readonly FolderFormat[],
): { format: Format; configPath: string }[] {
  const folder = dirname(resolve(path));
  const deep = formats.filter(({ weights }) => weights.every((name) => name.includes('/')));
  const named = [
    ...configuredIn(
      folder,
      formats.filter((one) => !deep.includes(one)),
    ),
    ...configuredIn(dirname(folder), deep),
  ];
  const free = formats.filter((one) => !isPublished(folder, one));
  const byWords = named.map(({ format, configPath }) => ({
    format: ofWords(format, configPath, free),
    configPath,
  }));
  return [...named, ...byWords.filter(({ format }) => named.every((one) => one.format !== format))];
}

/** The one file of weights in a folder with such a configuration; null if none or several. */
export function onlyWeights(folder: string, formats: readonly FolderFormat[]): string | null {
  if (configuredIn(folder, formats).length === 0) return null;
  const names = namesIn(folder).filter((name) => checkpointEnding.test(name));
  return names.length === 1 ? join(folder, names[0]!) : null;
}
