/**
 * The request of the demo: the eight kinds on the shipped model, checkpoints and text. A clone has
 * them in `checkpoints/`; for a project they are the package `sae-eval-demo`, since they are five
 * times as large as sae-eval itself.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { SaeEvalError } from '../errors.js';
import type { EvaluationRequest } from '../schema/index.js';
import { packageRoot } from '../torch/setup/paths.js';

const lastBlock = 16;
const k = 16;

/** Folder of the package `sae-eval-demo`, of the project in the current folder or beside us. */
function demoPackage(): string | null {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url])
    try {
      return dirname(createRequire(from).resolve('sae-eval-demo/package.json'));
    } catch {
      // It is not installed there.
    }
  return null;
}

/** @throws SaeEvalError `file-not-found` if the files are nowhere. */
function demoFolder(from: string | undefined): string {
  const has = (folder: string): boolean => existsSync(join(folder, 'tiny-llama', 'config.json'));
  if (from !== undefined) {
    if (has(from)) return resolve(from);
    throw new SaeEvalError(
      'file-not-found',
      `--from ${from}: this folder does not have the demo's files (tiny-llama, eval, ` +
        'TopK_tiny.pt, …); name the checkpoints folder of a clone of sae-eval.',
    );
  }
  const found = [join(packageRoot, 'checkpoints'), demoPackage()].find(
    (folder) => folder !== null && has(folder),
  );
  if (found !== undefined && found !== null) return found;
  throw new SaeEvalError(
    'file-not-found',
    "The demo's model, SAEs and text are a package of their own, which is not installed: run " +
      '`npm install sae-eval-demo`, or name the checkpoints folder of a clone of sae-eval with ' +
      '--from.',
  );
}

/**
 * The request of the demo.
 * @param from folder with the demo's files, instead of the shipped ones.
 * @throws SaeEvalError `file-not-found`.
 */
export function demoRequest({ from }: { from?: string | undefined } = {}): EvaluationRequest {
  const folder = demoFolder(from);
  const shipped = (name: string): string => join(folder, name);
  return {
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), maxSamples: 150, seqLen: 256 },
    saes: [
      { kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: lastBlock, k },
      { kind: 'RouteSAE', checkpoint: shipped('RouteSAE_tiny.pt'), k },
      { kind: 'MLSAE', checkpoint: shipped('MLSAE_tiny.pt'), k },
      { kind: 'Vanilla', checkpoint: shipped('Vanilla_tiny.pt'), layer: lastBlock },
      { kind: 'Gated', checkpoint: shipped('Gated_tiny.pt'), layer: lastBlock },
      { kind: 'JumpReLU', checkpoint: shipped('JumpReLU_tiny.pt'), layer: lastBlock },
      { kind: 'Crosscoder', checkpoint: shipped('Crosscoder_tiny.pt') },
      { kind: 'RandomK', checkpoint: shipped('TopK_tiny.pt'), k },
    ],
  };
}
