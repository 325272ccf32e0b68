/**
 * The evaluation of a model of a billion parameters: where its files are, and its request. On the
 * simulated device a tiny model takes its place.
 */
import { join } from 'node:path';

export const kinds = ['TopK', 'RouteSAE', 'MLSAE', 'JumpReLU'];
export const batchSize = 16;

export function folderOf({ work }) {
  return join(work, 'billion');
}

/** Shape, latents and layer of the random model and its SAEs. */
export function shapeOf({ simulated }) {
  return simulated
    ? { shape: 'tiny', latents: 64, layer: 3, k: 8, seqLen: 32, samples: 4 }
    : { shape: 'llama-3.2-1b', latents: 16_384, layer: 15, k: 64, seqLen: 512, samples: 32 };
}

export function saesOf(settings) {
  const { layer, k } = shapeOf(settings);
  const own = { TopK: { layer, k }, RouteSAE: { k }, MLSAE: { k }, JumpReLU: { layer } };
  return kinds.map((kind) => ({
    kind,
    checkpoint: join(folderOf(settings), `${kind}.pt`),
    ...own[kind],
  }));
}

export function requestOf(settings, { dtype, samples }) {
  return {
    model: join(folderOf(settings), 'model'),
    dataset: {
      path: join(settings.root, 'checkpoints/eval'),
      seqLen: shapeOf(settings).seqLen,
      maxSamples: samples,
    },
    ...{ batchSize, dtype, device: settings.device, saes: saesOf(settings) },
  };
}

/** Path of the file with the result in a dtype. */
export function resultFile({ out }, dtype) {
  return join(out, `billion-${dtype}.json`);
}
