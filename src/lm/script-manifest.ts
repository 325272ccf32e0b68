/**
 * `manifest.json` of a language model exported as TorchScript, for architectures of no family. It
 * holds the sizes that the program beside it cannot tell.
 */
import { join } from 'node:path';
import { SaeEvalError } from '../errors.js';
import type { ModelConfig } from './config.js';
import { mostLayers, perBlock } from './transformer-config.js';
import { JsonFields } from './json-fields.js';

/** Marks the file as ours: other tools write a manifest.json too. */
const format = 'sae-eval-torchscript';

function readManifest(manifest: JsonFields): Omit<ModelConfig, 'path'> {
  const version = manifest.number('version');
  if (version !== 1) manifest.invalid('version', '1');
  const layers = manifest.size<number>('layers', undefined, { atMost: mostLayers });
  const width = manifest.size('width');
  const each = <T>(value: T): T[] => perBlock(layers, () => value);
  return {
    family: 'torchscript',
    notes: [],
    script: {
      program: manifest.fileName('program', 'model.pt'),
      parameters: manifest.size<number>('parameters', undefined, {
        atMost: Number.MAX_SAFE_INTEGER,
      }),
    },
    layers,
    width,
    vocabulary: manifest.size('vocabulary'),
    maxPositions: manifest.size('maxPositions'),
    // The fields below describe the blocks of families; a program has its own.
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
    embeddingScale: null,
    residualScale: 1,
    logitScale: null,
    parallelResidual: false,
  };
}

/**
 * Configuration from the manifest of a folder; null if the folder has no manifest of ours.
 * @throws SaeEvalError `model-invalid`, `file-unreadable`.
 */
export function readScriptManifest(folder: string): ModelConfig | null {
  const path = join(folder, 'manifest.json');
  let manifest: JsonFields | null;
  try {
    manifest = JsonFields.read(path, { code: 'model-invalid', limit: 2 ** 20 });
  } catch (thrown) {
    // Another tool's file of that name is no reason to refuse the model.
    if (thrown instanceof SaeEvalError && thrown.code === 'model-invalid') return null;
    throw thrown;
  }
  return manifest?.value('format') === format ? { path: folder, ...readManifest(manifest) } : null;
}
