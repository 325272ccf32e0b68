/** Names of the tensors that a description computes with. */
import type { Activation, SaeForm, SiteMatrices, Weight } from './description.js';

const matrices = (weights: SiteMatrices | Weight): readonly string[] =>
  'tensors' in weights ? weights.tensors : [weights.tensor];

function activationTensors(activation: Activation): readonly string[] {
  switch (activation.kind) {
    case 'jumprelu':
      return 'tensor' in activation.threshold ? [activation.threshold.tensor] : [];
    case 'gated':
      return [activation.gateBias, activation.magnitudeBias, activation.logScale];
    case 'own':
      return activation.tensors;
    case 'relu':
    case 'topk':
      return [];
  }
}

/** Each name once. */
export function usedTensors(form: SaeForm): ReadonlySet<string> {
  const names: (string | null)[] = [
    ...matrices(form.encoder),
    ...matrices(form.decoder),
    form.encoderBias,
    form.decoderBias,
    ...activationTensors(form.activation),
  ];
  if (form.form === 'routed') names.push(form.router);
  if (form.form !== 'crosscoder' && form.glu !== null)
    names.push(form.glu.weight.tensor, form.glu.bias);
  return new Set(names.filter((name) => name !== null));
}
