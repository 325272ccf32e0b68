/**
 * TransformerLens' centering of what is written to the residual stream (center_writing_weights). An
 * SAE that was trained behind it reads activations less their mean over d.
 */
import type { Bilingual } from '../../bilingual.js';
import type { ModelConfig } from '../../lm/config.js';
import { familyNamed } from '../../lm/families/index.js';
import { parseHookName } from '../../lm/hook-names.js';
import { hookPointsOf, type SaeDescription } from '../../sae/description.js';
import type { SaeSpec } from '../../schema/index.js';

/** TransformerLens centers only families whose norms take the mean off. */
const isCentered = ({ family }: ModelConfig): boolean =>
  familyNamed(family)?.centeredByTransformerLens === true;

/** The description with `centered` as the model has it, unless the request says otherwise. */
export function centeredFor(
  description: SaeDescription,
  model: ModelConfig,
  spec: SaeSpec,
): SaeDescription {
  if (description.form === 'crosscoder' || !description.centered || spec.centered === true)
    return description;
  const [name] = hookPointsOf(description);
  const heads = name !== undefined && parseHookName(name)?.site === 'attn_z';
  return isCentered(model) && !heads ? description : { ...description, centered: false };
}

/** Remark if neither file nor request says whether the input was centered. */
export function centeringNotes(
  description: SaeDescription,
  model: ModelConfig,
  spec: SaeSpec,
): Bilingual[] {
  const { form, format } = description;
  if (form === 'crosscoder' || format !== 'saelens' || description.centered) return [];
  if (spec.centered !== undefined || !isCentered(model)) return [];
  return [
    {
      en:
        'The file does not say whether the residual stream it was trained on was centered ' +
        '(center_writing_weights of TransformerLens, as for gpt2-small-res-jb). If it was, give ' +
        'centered: true.',
      zh:
        '文件未说明训练时残差流是否去均值（TransformerLens 的 center_writing_weights，例如 ' +
        'gpt2-small-res-jb）。若是，请给出 centered: true。',
    },
  ];
}
