/** Paths that lead to no SAE: a language model, weights alone, a folder of checkpoints. */
import { basename, dirname, join } from 'node:path';
import { readJsonFile } from '../../checkpoint/json-file.js';
import { SaeEvalError } from '../../errors.js';
import { isFile, namesIn } from '../../files/index.js';
import { checkpointEnding } from './renamed.js';

/** Weights of language models, as Hugging Face names them. */
const modelWeights = /^(?:model|pytorch_model)(?:[-.].*)?\.(?:safetensors|bin)$/;
const mostNamed = 6;
const mebibyte = 2 ** 20;

/** Type of the language model in a folder, as its `config.json` names it; null if there is none. */
function modelTypeIn(folder: string): string | null {
  try {
    const config = readJsonFile(join(folder, 'config.json'), {
      code: 'checkpoint-format',
      limit: 4 * mebibyte,
    }) as Record<string, unknown> | null | undefined;
    const type = config?.['model_type'];
    const isModel = ['architectures', 'vocab_size', 'hidden_size'].some(
      (key) => config?.[key] !== undefined,
    );
    return typeof type === 'string' && isModel ? type : null;
  } catch {
    return null;
  }
}

/** Whether a folder holds a language model. */
export function isLanguageModel(folder: string): boolean {
  return modelTypeIn(folder) !== null;
}

/** @throws SaeEvalError `checkpoint-format` if the path is a language model's folder or weights. */
export function refuseLanguageModel(path: string, { isFolder }: { isFolder: boolean }): void {
  if (!isFolder && !modelWeights.test(basename(path)) && basename(path) !== 'config.json') return;
  const type = modelTypeIn(isFolder ? path : dirname(path));
  if (type === null) return;
  throw new SaeEvalError(
    'checkpoint-format',
    `${path}: this is a language model (${type}), expected an SAE; a request names it as ` +
      '`model`.',
  );
}

/** Files that transformers divides weights into, and the list of them. */
const shardName = /-\d{5}-of-(\d{5})\.(?:safetensors|bin)$|\.index\.json$/;

/** @throws SaeEvalError `checkpoint-format` if the path is of one of several files of weights. */
export function refuseShard(path: string): void {
  const found = shardName.exec(basename(path));
  if (found === null || Number(found[1] ?? 2) < 2) return;
  throw new SaeEvalError(
    'checkpoint-format',
    `${path}: weights divided into several files are not supported; expected an SAE in one file.`,
  );
}

/** Weights of a folder format that lie in a folder without their configuration, as a sentence. */
function withoutConfig(
  folder: string,
  formats: readonly { weights: readonly string[]; config: string; name: string }[],
): string | null {
  for (const { weights, config, name } of formats) {
    const there = weights.find((one) => isFile(join(folder, one)));
    if (there !== undefined && name === 'saelens')
      return `${there} looks like SAELens weights; ${config}, which belongs beside it, is missing`;
  }
  return null;
}

/**
 * The error of a folder that no format knows: with the weights or the checkpoints that lie in it,
 * else with the layouts that are known.
 */
export function unknownFolder(
  folder: string,
  formats: readonly { weights: readonly string[]; config: string; name: string }[],
): SaeEvalError {
  const wrong = (message: string): SaeEvalError =>
    new SaeEvalError('checkpoint-format', `${folder}: ${message}.`);
  const alone = withoutConfig(folder, formats);
  if (alone !== null) return wrong(alone);
  const names = namesIn(folder).filter((name) => checkpointEnding.test(name));
  if (names.length > 0) {
    const shown = names.sort().slice(0, mostNamed).join(', ');
    const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
    return wrong(`a folder of checkpoints, which are given one by one: ${shown}${more}`);
  }
  const known = formats.map(({ weights, config }) => `${config} and ${weights.join(' or ')}`);
  return wrong(`expected a folder with ${known.join('; ')}; or params.npz or params.safetensors`);
}
