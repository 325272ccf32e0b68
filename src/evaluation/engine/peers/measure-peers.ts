/**
 * Collects what SAELens and SAEBench measure of a reconstruction: in the space of the language
 * model's activations, whatever the SAE's normalization.
 */
import { slotKey, vectorKey } from '../../../metrics/keys.js';
import { Measurement } from '../../../metrics/measurement.js';
import { peerColumns, peerVectors, type PeerTokens } from '../../../metrics/peers/columns.js';
import { peerRules, type PeerProtocol } from '../../../metrics/peers/protocols.js';
import type { Latents } from '../../../sae/index.js';
import { kernels, ops, type Tensor } from '../../../torch/index.js';
import type { Collector } from '../collector.js';

export interface PeerMeasured {
  /** Name of the place, equal for the SAEs that read it. */
  place: string;
  /** Activations as the language model has them, and as they were reconstructed: [N, d]. */
  h: Tensor;
  reconstruction: Tensor;
  latents: Latents;
  owner: string;
  protocols: readonly PeerProtocol[];
}

const wide = (values: Tensor): Tensor =>
  values.dtype === 'float16' || values.dtype === 'bfloat16'
    ? values.to({ dtype: 'float32' })
    : values;

const counted = (flags: Tensor): Tensor => flags.sum([-1], { dtype: 'float64' });

/** Each value once, if it is asked for. */
function tokensOf({ h, reconstruction, latents: { values } }: PeerMeasured): PeerTokens {
  const measurement = new Measurement({
    x: h,
    reconstruction,
    routed: null,
    latents: null,
    rowProducts: h.device === 'cpu' ? kernels.rowProducts : null,
  });
  const known = new Map<string, Tensor>();
  const once = (name: string, make: () => Tensor): Tensor => {
    let found = known.get(name);
    if (found === undefined) known.set(name, (found = make()));
    return found;
  };
  return {
    squaredIn: measurement.squaredInput,
    squaredOut: measurement.squaredReconstruction,
    squaredError: measurement.squaredError,
    product: measurement.product,
    get positive() {
      return once('positive', () => counted(values.gt(0)));
    },
    get notZero() {
      return once('notZero', () => counted(values.ne(0)));
    },
    get signed() {
      return once('signed', () => wide(values).sum([-1], { dtype: 'float64' }));
    },
    get magnitudes() {
      return once('magnitudes', () => wide(values).abs().sum([-1], { dtype: 'float64' }));
    },
  };
}

/** Number of chosen tokens on which each latent is active, by the rule of the tool: [m] float64. */
function firingOf(latents: Latents, chosen: Tensor, density: 'positive' | 'not zero'): Tensor {
  const { values } = latents;
  const active = (density === 'positive' ? values.gt(0) : values.ne(0)).mul(chosen.unsqueeze(-1));
  if (latents.form === 'dense') return active.sum([0], { dtype: 'float64' });
  const counts = ops.zeros([latents.m], { dtype: 'float64', device: values.device });
  const all = counts.index_add_(
    0,
    latents.indices.reshape([-1]),
    active.to({ dtype: 'float64' }).reshape([-1]),
  );
  return latents.prefix === undefined ? all : all.narrow(0, 0, latents.prefix);
}

export function measurePeers(measured: PeerMeasured, into: Collector): void {
  const { place, h, latents, owner, protocols } = measured;
  const tokens = tokensOf(measured);
  for (const protocol of protocols) {
    const rules = peerRules[protocol];
    const target = { owner, protocol, slot: 0 };
    const mask = into.mask(target);
    for (const column of Object.values(peerColumns))
      into.tokens(slotKey(target, column.name), { mask, values: column.values(tokens, rules) });
    into.hold(place, { target, h, squaredError: tokens.squaredError });
    const chosen = mask.reshape([-1]);
    into.vector(
      vectorKey(owner, protocol, peerVectors.inputSum.name),
      // A fill, not a product: values of padded positions may be NaN.
      wide(h).masked_fill(chosen.logical_not().unsqueeze(-1), 0).sum([0], { dtype: 'float64' }),
    );
    into.vector(
      vectorKey(owner, protocol, peerVectors.firing.name),
      firingOf(latents, chosen, rules.density),
    );
  }
  into.settle();
}
