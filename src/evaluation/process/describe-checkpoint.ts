/** What is in a checkpoint file and what it can be, from its headers alone. Native-free. */
import { readCheckpoint } from '../../checkpoint/read.js';
import { inferKinds, kindLayout } from '../../sae/layout.js';
import type { CheckpointDescription } from '../schema/record.js';

/** @throws SaeEvalError `file-not-found`, `checkpoint-*`. */
export async function describeCheckpoint(path: string): Promise<CheckpointDescription> {
  const { format, entries } = await readCheckpoint(path);
  const shapes = new Map([...entries].map(([name, entry]) => [name, entry.shape]));
  const { candidates, d, m, routedLayers } = inferKinds(shapes);
  const known = candidates.length > 0;
  return {
    path,
    format,
    tensors: [...entries.values()].map(({ name, shape, dtype }) => ({ name, shape: [...shape], dtype })),
    candidates,
    d: known ? d : null,
    m: known ? m : null,
    routedLayers: known ? routedLayers : null,
    mustGive: Object.fromEntries(candidates.map((kind) => [kind, mustGive(kind, candidates.length > 1)])),
  };
}

function mustGive(kind: CheckpointDescription['candidates'][number], ambiguous: boolean): string[] {
  const { layer, hasK } = kindLayout(kind);
  return [...(ambiguous ? ['kind'] : []), ...(layer === 'required' ? ['layer'] : []), ...(hasK ? ['k'] : [])];
}
