/**
 * `manifest.json` of a language model exported as TorchScript, for architectures that are none of
 * the families: what the program beside it cannot say of itself. Loads nothing native.
 */
import { join } from 'node:path';
import { SaeEvalError } from '../errors.js';
import type { ModelConfig } from './config.js';
import type { JsonFields } from './json-fields.js';
import { readJsonFile } from './json-file.js';

/** Marks the file as ours: other tools have a manifest.json too. */
const format = 'sae-eval-torchscript';

function readManifest(manifest: JsonFields): Omit<ModelConfig, 'path'> {
  const version = manifest.number('version');
  if (version !== 1) manifest.invalid('version', '1');
  const program = manifest.string('program', 'model.pt');
  if (program === '' || program === '..' || /[/\\\0]/.test(program))
    manifest.invalid('program', 'the name of a file beside the manifest');
  const layers = manifest.size<number>('layers', undefined, { atMost: 10_000 });
  const width = manifest.size('width');
  const each = <T>(value: T): T[] => Array.from({ length: layers }, () => value);
  return {
    family: 'torchscript',
    script: {
      program,
      parameters: manifest.size<number>('parameters', undefined, {
        atMost: Number.MAX_SAFE_INTEGER,
      }),
    },
    layers,
    width,
    vocabulary: manifest.size('vocabulary'),
    maxPositions: manifest.size('maxPositions'),
    // What follows is of the families' own blocks; a program keeps it to itself.
    heads: 1,
    keyValueHeads: 1,
    headDim: width,
    mlpWidth: width,
    normEps: 0,
    activation: 'linear',
    tiedHead: false,
    attentionBias: false,
    mlpBias: false,
    windows: each(null),
    ropes: each(null),
    attentionScale: each(1),
    attentionSoftcap: null,
    logitSoftcap: null,
    parallelResidual: false,
  };
}

/**
 * The manifest of a folder; null where there is none of ours. @throws SaeEvalError `model-invalid`,
 * `file-unreadable`.
 */
export async function readScriptManifest(folder: string): Promise<ModelConfig | null> {
  const path = join(folder, 'manifest.json');
  let manifest: JsonFields | null;
  try {
    manifest = await readJsonFile(path, { code: 'model-invalid', limit: 2 ** 20 });
  } catch (thrown) {
    // Another tool's file of that name, of whatever size and content, is no reason to refuse the
    // model.
    if (thrown instanceof SaeEvalError && thrown.code === 'model-invalid') return null;
    throw thrown;
  }
  return manifest?.value('format') === format ? { path: folder, ...readManifest(manifest) } : null;
}
