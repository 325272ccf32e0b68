/** Many SAEs have too many pairs to be compared one by one. */
import { allPairsUpTo } from '../../schema/index.js';
import { evaluated, type Rule } from '../rule.js';

export const pairsLeftOut: Rule = {
  code: 'pairs-left-out',
  severity: 'info',
  condition: {
    en: `More than ${allPairsUpTo} SAEs are compared under strict.`,
    zh: `strict 协议下比较的 SAE 多于 ${allPairsUpTo} 个。`,
  },
  check: (context) => {
    const { length } = evaluated(context).filter(({ strict }) => strict !== null);
    if (length <= allPairsUpTo) return [];
    return [
      {
        sae: null,
        message: {
          en:
            `Of ${length} SAEs, only the pairs with the first and with the best are compared. ` +
            'The difference of any other pair can be computed from sums.safetensors.',
          zh:
            `共 ${length} 个 SAE，只比较与第一个和与最佳者的配对。其余配对的差异可由 ` +
            'sums.safetensors 计算。',
        },
        evidence: { saes: length, allPairsUpTo },
      },
    ];
  },
};
