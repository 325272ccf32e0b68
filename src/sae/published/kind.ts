/** Which of the eight kinds stands for a published SAE. Native-free. */
import type { PublishedDescription } from '../formats/recognise.js';
import { SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../schema/request.js';

/**
 * The kinds it can be evaluated as, nearest first: by what its latents are; TopKs on a drawn layer
 * and on several layers too.
 */
export function publishedKinds({
  form,
  source,
  activation,
}: PublishedDescription): [SaeKind, ...SaeKind[]] {
  if (form === 'crosscoder') return ['Crosscoder'];
  switch (activation.kind) {
    case 'relu':
      return ['Vanilla'];
    case 'gated':
      return ['Gated'];
    case 'jumprelu':
      return ['JumpReLU'];
    case 'topk':
      return source === 'mlsae' ? ['MLSAE', 'TopK', 'RandomK'] : ['TopK', 'RandomK'];
  }
}

/**
 * The kind asked for, else the nearest. @throws SaeEvalError `sae-kind` where the file cannot be
 * it.
 */
export function publishedKind(description: PublishedDescription, wanted?: SaeKind): SaeKind {
  const kinds = publishedKinds(description);
  if (wanted === undefined) return kinds[0];
  if (kinds.includes(wanted)) return wanted;
  const { source, form, activation, checkpoint } = description;
  throw new SaeEvalError(
    'sae-kind',
    `${checkpoint.path}: a ` +
      `${form === 'crosscoder' ? 'crosscoder' : `${activation.kind} SAE`} in the format of ` +
      `${source} is evaluated as ${kinds.join(' or ')}, not as ${wanted}: leave \`kind\` out.`,
  );
}
