/** Names of the tensors that a description computes with. */
import type { Activation, CrossLayerForm, SaeForm, SiteMatrices, Weight } from './description.js';

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
    case 'matching-pursuit':
      return [];
  }
}

function crossLayerTensors({ layers }: CrossLayerForm): ReadonlySet<string> {
  return new Set(
    layers.flatMap(({ encoder, encoderBias, activation, decoder, decoderBias, skip }) => [
      ...[encoder.tensor, encoderBias, decoder.tensor, decoderBias],
      ...activationTensors(activation),
      ...(skip === null ? [] : [skip.tensor]),
    ]),
  );
}

/** Each name once. */
export function usedTensors(form: SaeForm): ReadonlySet<string> {
  if (form.form === 'cross-layer') return crossLayerTensors(form);
  const names: (string | null)[] = [
    ...matrices(form.encoder),
    ...matrices(form.decoder),
    form.encoderBias,
    form.decoderBias,
    ...activationTensors(form.activation),
  ];
  if (form.form === 'routed') names.push(form.router);
  if (form.form === 'transcoder') names.push(form.skip?.tensor ?? null);
  if (form.form === 'temporal')
    for (const { query, key, value, output } of form.attention)
      for (const { weight, bias } of [query, key, value, output]) names.push(weight, bias);
  if (form.form !== 'crosscoder' && form.glu !== null)
    names.push(form.glu.weight.tensor, form.glu.bias);
  return new Set(names.filter((name) => name !== null));
}
