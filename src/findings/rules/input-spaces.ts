/** SAEs normalize their inputs differently, so that their errors cannot be compared. */
import { cite, evaluated, type Rule } from '../rule.js';

export const inputSpaces: Rule = {
  code: 'input-spaces-differ',
  severity: 'warning',
  condition: {
    en:
      'The evaluated SAEs have a NormMSE and different normalizations (pre, none, layer-norm, ' +
      'token-norm, scale).',
    zh: '所评估的 SAE 有 NormMSE，但归一化方式不同（pre、none、layer-norm、token-norm、scale）。',
  },
  check: (context) => {
    const bySpace = new Map<string, string[]>();
    const errors = evaluated(context).flatMap((sae) => {
      const { label, normalization, strict, reference, hookOut } = sae;
      const error = strict?.NormMSE?.mean ?? reference?.NormMSE ?? null;
      // A transcoder's prediction is measured in the model's own space.
      if (hookOut !== undefined || error === null || normalization === undefined) return [];
      bySpace.set(normalization, [...(bySpace.get(normalization) ?? []), label]);
      return [error];
    });
    if (bySpace.size < 2) return [];
    const spaces = (between: string): string =>
      [...bySpace]
        .map(
          ([space, labels]) =>
            `${space} (${labels.slice(0, 8).join(', ')}${labels.length > 8 ? ', …' : ''})`,
        )
        .join(between);
    const [least, most] = [Math.min(...errors), Math.max(...errors)];
    return [
      {
        sae: null,
        message: {
          en:
            `The SAEs normalize their inputs in ${bySpace.size} ways: ${spaces('; ')}. Compare ` +
            `NormMSE (${cite(least)} to ${cite(most)}), cosine similarity and explained variance ` +
            'only between SAEs with the same normalization. KL, ΔCE and loss recovered compare ' +
            'all SAEs.',
          zh:
            `这些 SAE 的输入归一化方式有 ${bySpace.size} 种：${spaces('；')}。NormMSE（${cite(least)} 至 ` +
            `${cite(most)}）、余弦相似度与解释方差只能在归一化方式相同的 SAE 之间比较；KL、ΔCE ` +
            '与损失恢复率可在所有 SAE 之间比较。',
        },
        evidence: { spaces: spaces('; '), lowestNormMSE: least, highestNormMSE: most },
      },
    ];
  },
};
