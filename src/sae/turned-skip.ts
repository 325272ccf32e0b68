/** SAEs whose skip connections a run may turn (open-skip.ts): which of them it turned. */
import { scope } from '../torch/index.js';
import { CrossLayer } from './cross-layer.js';
import type { SAE } from './load.js';
import { Transcoder } from './transcoder.js';

const withSkip = (sae: SAE | null): Transcoder | CrossLayer | null =>
  sae instanceof Transcoder || sae instanceof CrossLayer ? sae : null;

/** Whether the data decided for the transpose of what is assumed. */
export const isSkipTurned = (sae: SAE | null): boolean => withSkip(sae)?.openSkip.isTurned === true;

/** Whether the data have still to decide. */
export const isSkipOpen = (sae: SAE | null): boolean => withSkip(sae)?.openSkip.isOpen === true;

/**
 * Begins a run with an SAE that an earlier run may have used.
 * @param earlier what an earlier part of this run decided; undefined if there is none.
 */
export function beginSkip(sae: SAE, earlier: boolean | undefined): void {
  const one = withSkip(sae);
  if (one?.openSkip.begin(earlier) !== true) return;
  scope(() => {
    one.turnSkip();
    return null;
  });
}
