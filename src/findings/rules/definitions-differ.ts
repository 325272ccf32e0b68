/** The explained variance of one SAE depends on whose definition it is. */
import { peerProtocolNames, type SaeResult } from '../../schema/index.js';
import { cite, evaluated, saesOf, spanOf, type Rule } from '../rule.js';

/** The explained variances of an SAE by their definitions. */
function variancesOf(sae: SaeResult): { definition: string; value: number }[] {
  const found = peerProtocolNames.flatMap((protocol) => [
    { definition: protocol, value: sae[protocol]?.explained_variance },
    { definition: `${protocol} legacy`, value: sae[protocol]?.explained_variance_legacy },
  ]);
  return [{ definition: 'strict', value: sae.strict?.ExplainedVariance?.mean }, ...found].flatMap(
    ({ definition, value }) => (typeof value === 'number' ? [{ definition, value }] : []),
  );
}

export const definitionsDiffer: Rule = {
  code: 'definitions-differ',
  severity: 'info',
  condition: {
    en:
      'The explained variances of one SAE by the definitions of strict, saelens and saebench ' +
      '(their legacy ones too) span more than the 95 % interval of explained variance.',
    zh:
      '同一 SAE 按 strict、saelens 与 saebench（含其旧定义）算得的解释方差，' +
      '其跨度超过解释方差的 95 % 置信区间。',
  },
  check: (context) =>
    evaluated(context).flatMap((sae) => {
      const interval = sae.explainedVarianceCi95 ?? null;
      const all = variancesOf(sae).toSorted((a, b) => a.value - b.value);
      const [low, high] = [all[0], all.at(-1)];
      if (interval === null || low === undefined || high === undefined) return [];
      const difference = high.value - low.value;
      const width = interval[1] - interval[0];
      if (difference <= width) return [];
      return [
        {
          sae: sae.label,
          message: {
            en:
              `The explained variance of ${sae.label} is ${cite(low.value)} by the definition of ` +
              `${low.definition} and ${cite(high.value)} by that of ${high.definition}: ` +
              `the definitions differ by more than its 95 % interval is wide (${cite(width)}). ` +
              'Say whose it is when you cite it.',
            zh:
              `${sae.label} 的解释方差按 ${low.definition} 的定义为 ${cite(low.value)}，` +
              `按 ${high.definition} 的定义为 ${cite(high.value)}：定义之间的差异超过其 95 % ` +
              `置信区间的宽度（${cite(width)}）。引用时请注明是谁的定义。`,
          },
          evidence: { lowest: low.value, highest: high.value, width },
        },
      ];
    }),
  together: (found) => {
    const saes = saesOf(found);
    const [low, high] = [spanOf(found, 'lowest'), spanOf(found, 'highest')];
    return {
      en:
        `The explained variances of ${saes.en} depend on whose definition is taken (lowest ` +
        `${low.en}, highest ${high.en}), by more than their 95 % intervals are wide. Say whose ` +
        'it is when you cite one.',
      zh:
        `${saes.zh} 的解释方差取决于采用谁的定义（最低 ${low.zh}，最高 ${high.zh}），` +
        '差异超过其 95 % 置信区间的宽度。引用时请注明是谁的定义。',
    };
  },
};
