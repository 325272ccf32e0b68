/** What is in a checkpoint file and what it can be, with what each candidate needs. Native-free. */
import { describeCheckpoint as describe } from '../../checkpoint/inspect.js';
import { inferKinds, kindLayout, type Shapes } from '../../sae/layout.js';
import type { CheckpointDescription } from '../schema/record.js';

/** @throws SaeEvalError `file-not-found`, `checkpoint-*`. */
export async function describeCheckpoint(path: string): Promise<CheckpointDescription> {
  let sizes: ReturnType<typeof inferKinds> | null = null;
  const description = await describe(path, { inferKinds: (shapes: Shapes) => (sizes = inferKinds(shapes)) });
  const { candidates, d, m, routedLayers } = sizes as unknown as ReturnType<typeof inferKinds>;
  const known = candidates.length > 0;
  return {
    ...description,
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
