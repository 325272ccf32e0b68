/** Writes a transcoder as one of SAELens' four architectures of transcoders. */
import { openTensors } from '../../checkpoint/tensors.js';
import type { Tensor } from '../../torch/index.js';
import {
  hookPointsOf,
  hookPointsOutOf,
  type Described,
  type TranscoderForm,
} from '../description.js';
import { plainSAE, type PlainActivation } from './plain.js';
import type { Conversion } from './target.js';
import { saelensFile } from './to-saelens.js';

export type TranscoderDescription = Described & TranscoderForm;

/** Activations that SAELens' transcoders have. */
export const transcoderActivations: readonly PlainActivation['kind'][] = ['relu', 'jumprelu'];

/** Names of hook points that are no TransformerLens names: modules', which SAELens keeps beside. */
function moduleName(key: string, name: string | undefined): Record<string, string> {
  return name === undefined || /^blocks\.|^hook_/.test(name) ? {} : { [key]: name };
}

/** To be called in a scope. */
export function transcoderToSaelens(
  sae: TranscoderDescription,
  { hookName, hookNameOut }: { hookName: string | null; hookNameOut: string | null },
): Conversion {
  const plain = plainSAE({ ...sae, form: 'dictionary' });
  const { activation } = plain;
  const { skip } = sae;
  const notes: string[] = [];
  const jumps = activation.kind === 'jumprelu' ? 'jumprelu_' : '';
  const skips = skip === null ? '' : 'skip_';
  const stored =
    skip === null
      ? null
      : openTensors(sae.checkpoint, { names: [skip.tensor], dtype: 'float64' }).get(skip.tensor)!;
  const weights: (readonly [string, Tensor])[] = [
    ['W_enc', plain.encoder],
    ['W_dec', plain.decoder],
    ['b_enc', plain.encoderBias],
    ['b_dec', plain.decoderBias],
    ...(activation.kind === 'jumprelu' ? [['threshold', activation.threshold] as const] : []),
    // SAELens uses its transpose.
    ...(stored === null ? [] : [['W_skip', skip!.transpose ? stored : stored.t()] as const]),
  ];
  const made = saelensFile(plain, {
    hookName,
    fields: { architecture: `${jumps}${skips}transcoder`, d_out: sae.dOut },
    tensors: weights,
    notes,
  });
  const config = made.config as { metadata: Record<string, unknown> };
  return {
    ...made,
    config: {
      ...config,
      metadata: {
        ...config.metadata,
        hook_name_out: hookNameOut,
        ...moduleName('hf_hook_name', hookPointsOf(sae)[0]),
        ...moduleName('hf_hook_name_out', hookPointsOutOf(sae)[0]),
      },
    },
  };
}
