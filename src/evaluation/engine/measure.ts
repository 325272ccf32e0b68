/** Collects the columns and vectors of the requested metrics from what the passes computed. */
import { slotKey, specialsKey, vectorKey } from '../../metrics/keys.js';
import type { OwnTarget, Target } from '../../metrics/keys.js';
import { Measurement, type Measured as Measurable } from '../../metrics/measurement.js';
import { passColumns } from '../../metrics/peers/columns.js';
import { isPeerProtocol, peerRules } from '../../metrics/peers/protocols.js';
import { columnsOf, vectorsOf } from '../../metrics/table.js';
import { activeCounts, firingCounts, type Latents } from '../../sae/index.js';
import { kernels, type Tensor } from '../../torch/index.js';
import type { Collector } from './collector.js';

export interface Measured {
  /** The activations that are reconstructed, or that a transcoder predicts. */
  x: Tensor; // [N, d]
  reconstruction: Tensor; // [N, d]
  /** Null if they were counted already: the layers of a crosscoder share theirs. */
  latents: Latents | null;
  /** Counted tokens on which each latent is active, if not those of `latents`. */
  firing?: ((counted: Tensor) => Tensor | null) | undefined;
  /** Counted positions that a router sends to each layer: [N] bool → [R]. */
  routed?: Measurable['routed'];
  targets: readonly OwnTarget[];
}

/** Measures a reconstruction against its input. */
export function measure(
  { x, reconstruction, latents, firing, routed = null, targets }: Measured,
  into: Collector,
): void {
  if (targets.length === 0) return;
  const measurement = new Measurement({
    x,
    reconstruction,
    routed,
    rowProducts: x.device === 'cpu' ? kernels.rowProducts : null,
    latents:
      latents === null
        ? null
        : {
            active: () => activeCounts(latents),
            firing: firing ?? ((counted) => firingCounts(latents, counted)),
          },
  });
  for (const column of columnsOf(into.table)) {
    if (column.from !== 'reconstruction') continue;
    const asking = targets.filter(({ protocol }) => column.protocols.includes(protocol));
    const values = asking.length === 0 ? null : column.values(measurement); // [N]
    if (values === null) continue;
    for (const target of asking) {
      into.tokens(slotKey(target, column.name), { mask: into.mask(target), values });
      if (column.ofSpecials === true && into.countsSpecials(target))
        into.tokens(specialsKey(target, column.name), {
          mask: into.positions.specialMask(),
          values,
        });
    }
  }
  for (const vector of vectorsOf(into.table)) {
    for (const { owner, protocol } of targets) {
      if (!vector.protocols.includes(protocol)) continue;
      const counted = into.mask({ owner, protocol }).reshape([-1]);
      const values = vector.values(measurement, counted);
      if (values !== null) into.vector(vectorKey(owner, protocol, vector.name), values);
    }
  }
  into.settle();
}

export interface MeasuredLogits {
  /**
   * KL(clean ‖ lane) and cross-entropy: [N] each. With the site at zero this project's protocols
   * have no use for the former.
   */
  logits: { kl?: Tensor; ce: Tensor; agrees?: Tensor };
  /** Positions at which some probability is zero, of the pass and of the clean one: [N] each. */
  underflows?: { own: Tensor; clean?: Tensor } | undefined;
  /** Whether the site is at zero. */
  zero: boolean;
  targets: readonly Target[];
}

/** Collects the columns of a spliced pass, or of a pass with the site set to zero. */
export function measureLogits(
  { logits: { kl, ...logits }, underflows, zero, targets }: MeasuredLogits,
  into: Collector,
): void {
  const own = targets.filter(({ protocol }) => !isPeerProtocol(protocol));
  for (const column of own.length === 0 ? [] : columnsOf(into.table)) {
    let values: Tensor | null;
    if (column.from === 'splice' && !zero) values = column.values({ kl: kl!, ...logits });
    else if (column.from === 'zero' && zero) values = column.values(logits);
    else continue;
    if (values === null) continue;
    for (const target of own)
      into.tokens(slotKey(target, column.name), { mask: into.mask(target, column.over), values });
  }
  for (const target of targets)
    if (isPeerProtocol(target.protocol))
      for (const [column, values] of [
        [zero ? passColumns.klZero : passColumns.kl, kl!],
        [zero ? passColumns.ceZero : passColumns.ceSpliced, logits.ce],
        ...(underflows === undefined || !peerRules[target.protocol].klUnderflows
          ? []
          : ([
              [zero ? passColumns.zeroUnderflows : passColumns.underflows, underflows.own],
              ...(zero ? [] : ([[passColumns.cleanUnderflows, underflows.clean!]] as const)),
            ] as const)),
      ] as const)
        into.tokens(slotKey(target, column.name), { mask: into.mask(target, column.over), values });
}
