/** Well-known language models that cannot be evaluated, with the reason. */

const sharedKeys =
  'upper blocks attend to keys and values of lower ones, so that a change at one place goes on ' +
  'beside the residual stream, and each block adds embeddings of its own of the token';
const fourStreams = `${sharedKeys}; four streams pass from block to block`;
const gemma4 = `in its small models ${sharedKeys}; the large ones are not implemented`;
const unscaled = 'transformers 5.18 leaves out the logit_scale of its text model';
const toImages = 'some of its blocks attend to images';

const reasons: ReadonlyMap<string, string> = new Map([
  ['gemma3n', fourStreams],
  ['gemma3n_text', fourStreams],
  ['gemma4', gemma4],
  ['gemma4_text', gemma4],
  ['aya_vision', unscaled],
  ['cohere2_vision', unscaled],
  ['paligemma', 'its attention to the prompt is not causal'],
  ['mllama', toImages],
  ['mllama_text_model', toImages],
  ['bloom', 'its attention has ALiBi'],
  ['mpt', 'its attention has ALiBi'],
]);

/** Why a model of that `model_type` cannot be evaluated; null if nothing is known about it. */
export function reasonRefused(type: string): string | null {
  return reasons.get(type) ?? null;
}
