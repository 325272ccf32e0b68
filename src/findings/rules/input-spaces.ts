/** SAEs that read activations in different forms: errors in their input spaces do not compare. */
import { cite, evaluated, type Rule } from '../rule.js';

export const inputSpaces: Rule = {
  code: 'input-spaces-differ',
  severity: 'warning',
  condition: {
    en:
      'a NormMSE; SAEs with different normalizations (pre, none, layer-norm, token-norm, ' +
      'scale) among those evaluated',
    zh: '有 NormMSE；所评估的 SAE 的归一化方式不同（pre、none、layer-norm、token-norm、scale）',
  },
  check: (context) => {
    const bySpace = new Map<string, string[]>();
    const errors = evaluated(context).flatMap(({ label, normalization, strict, reference }) => {
      const error = strict?.NormMSE?.mean ?? reference?.NormMSE ?? null;
      if (error === null || normalization === undefined) return [];
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
            `The SAEs read activations in ${bySpace.size} forms: ${spaces('; ')}. NormMSE ` +
            `(${cite(least)} to ${cite(most)}), cosine similarity and explained variance are ` +
            "measured in each one's own form and compare within it only; KL, ΔCE and loss " +
            'recovered compare all.',
          zh:
            `这些 SAE 以 ${bySpace.size} 种形式读取激活：${spaces('；')}。NormMSE（${cite(least)} 至 ` +
            `${cite(most)}）、余弦相似度与解释方差在各自的形式中测量，只能在同一形式内比较；KL、ΔCE 与损失恢复率可以全部比较。`,
        },
        evidence: { spaces: spaces('; '), lowestNormMSE: least, highestNormMSE: most },
      },
    ];
  },
};
