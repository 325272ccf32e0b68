/** Numbers of SAEBench that depend on the weights of an SAE alone. */
import { vectorKey } from '../../../metrics/keys.js';
import { peerVectors } from '../../../metrics/peers/columns.js';
import { peerRules } from '../../../metrics/peers/protocols.js';
import type { Dictionary } from '../../../sae/index.js';
import { scope } from '../../../torch/index.js';
import type { PeerRun } from '../../peers.js';
import type { Variant } from '../strategies/strategy.js';
import { meanLargestCosine } from './weight-cosines.js';

/** Vectors of one number each, for every variant; those of prefixes are of their latents. */
export function ofWeights(
  sae: Dictionary,
  { variants, peers }: { variants: readonly Variant[]; peers: readonly PeerRun[] },
): [key: string, values: Float64Array][] {
  const known = new Map<number, { encoder: number; decoder: number }>();
  const cosinesOf = (latents: number): { encoder: number; decoder: number } => {
    let found = known.get(latents);
    if (found === undefined) {
      found = scope(() => {
        const { encoder, decoder } = sae.weightRows;
        return {
          encoder: meanLargestCosine(encoder.narrow(0, 0, latents)),
          decoder: meanLargestCosine(decoder.narrow(0, 0, latents)),
        };
      });
      known.set(latents, found);
    }
    return found;
  };
  return peers
    .filter(({ protocol }) => peerRules[protocol].weights)
    .flatMap(({ protocol }) =>
      variants.flatMap(({ owner, sparsity }): [string, Float64Array][] => {
        const prefix = sparsity !== null && 'prefix' in sparsity ? sparsity.prefix : sae.m;
        const { encoder, decoder } = cosinesOf(Math.min(prefix, sae.m));
        return [
          [vectorKey(owner, protocol, peerVectors.encoderCosine.name), Float64Array.of(encoder)],
          [vectorKey(owner, protocol, peerVectors.decoderCosine.name), Float64Array.of(decoder)],
        ];
      }),
    );
}
