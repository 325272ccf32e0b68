/** Decides the orientation of skip connections that no file tells, on what a clean pass has. */
import { ops, scope, type Tensor } from '../../../torch/index.js';
import type { OpenSkip } from '../../../sae/open-skip.js';
import type { Collector } from '../collector.js';

/** A prediction without its skip connection, and what that adds either way. */
export interface OpenPrediction {
  target: Tensor; // [N, dOut]
  without: Tensor; // [N, dOut]
  assumed: Tensor; // [N, dOut]
  transposed: Tensor; // [N, dOut]
}

/**
 * Compares both orientations over the real tokens of a micro-batch, and turns the connections if
 * the transpose predicts clearly better.
 */
export function decideSkip(
  sae: { openSkip: OpenSkip; turnSkip(): void },
  predictions: () => readonly OpenPrediction[],
  into: Collector,
): void {
  if (!sae.openSkip.isOpen) return;
  const [all, assumed, transposed] = scope(() => {
    const counted = into.positions.mask('strict').reshape([-1, 1]); // [N, 1]
    const squares = (rows: Tensor): Tensor =>
      ops.where(counted, rows.to({ dtype: 'float32' }).square(), 0).sum({ dtype: 'float64' });
    const sums = predictions().map(({ target, without, ...ways }) => {
      const rest = target.sub(without);
      return ops.stack([target, rest.sub(ways.assumed), rest.sub(ways.transposed)].map(squares), 0);
    });
    return sums.reduce((sum, one) => sum.add(one)).toArray() as number[];
  }) as [number, number, number];
  const errors = { assumed: assumed / all, transposed: transposed / all };
  if (sae.openSkip.decide(errors)) sae.turnSkip();
}
