/** SAEs that count different positions are not compared in pairs. */
import { evaluated, type Rule } from '../rule.js';

export const positionsDiffer: Rule = {
  code: 'positions-differ',
  severity: 'info',
  condition: {
    en: 'Under strict, two SAEs of the run count different positions.',
    zh: 'strict 协议下，同一次运行中两个 SAE 计入的位置不同。',
  },
  check: (context) => {
    const groups = new Map<string, string[]>();
    for (const { label, positions } of evaluated(context)) {
      if (positions === undefined) continue;
      const key = JSON.stringify(positions.exclude);
      groups.set(key, [...(groups.get(key) ?? []), label]);
    }
    if (groups.size < 2) return [];
    const named = [...groups.values()].map((labels) =>
      labels.length > 4 ? `${labels.slice(0, 4).join(', ')}, …` : labels.join(', '),
    );
    return [
      {
        sae: null,
        message: {
          en:
            `These SAEs count different positions (${named.join('; ')}): their strict values are ` +
            'over different tokens, and there are no paired differences between them. One ' +
            'exclude for the request makes them comparable.',
          zh:
            `这些 SAE 计入的位置不同（${named.join('；')}）：其 strict 数值基于不同的词元，` +
            '彼此之间没有配对差异。为请求给出同一个 exclude 即可比较。',
        },
        evidence: { groups: groups.size },
      },
    ];
  },
};
