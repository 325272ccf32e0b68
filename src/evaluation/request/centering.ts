/**
 * TransformerLens' centering of what is written to the residual stream (center_writing_weights). An
 * SAE that was trained behind it reads activations less their mean over d.
 */
import type { Bilingual } from '../../bilingual.js';
import type { ModelConfig } from '../../lm/config.js';
import { familyNamed } from '../../lm/families/index.js';
import type { BlockSite } from '../../lm/hook-names.js';
import type { SaeDescription } from '../../sae/description.js';
import type { SaeSpec } from '../../schema/index.js';

/** TransformerLens centers only families whose norms take the mean off. */
const isCentered = ({ family }: ModelConfig): boolean =>
  familyNamed(family)?.centeredByTransformerLens === true;

/** Remark if neither file nor request says whether the input was centered. */
const unknown: Bilingual = {
  en:
    'The file does not say whether the residual stream it was trained on was centered ' +
    '(center_writing_weights of TransformerLens, as for gpt2-small-res-jb). If it was, give ' +
    'centered: true.',
  zh:
    '文件未说明训练时残差流是否去均值（TransformerLens 的 center_writing_weights，例如 ' +
    'gpt2-small-res-jb）。若是，请给出 centered: true。',
};

/** The description with `centered` as the model has it, unless the request says otherwise. */
export function centerFor(
  model: ModelConfig,
  described: SaeDescription,
  { spec: { centered }, site }: { spec: SaeSpec; site: BlockSite | null },
): { description: SaeDescription; notes: readonly Bilingual[] } {
  const { form, format, notes } = described;
  // The input of a transcoder does not center its prediction.
  const isOpen = form === 'dictionary' || form === 'routed';
  if (!isOpen || centered === true) return { description: described, notes };
  const heads = site === 'attn_z';
  const description = { ...described, centered: described.centered && isCentered(model) && !heads };
  const isUnknown = format === 'saelens' && centered === undefined && !description.centered;
  return { description, notes: isUnknown && isCentered(model) ? [...notes, unknown] : notes };
}
