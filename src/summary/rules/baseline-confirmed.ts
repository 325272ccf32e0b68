/** Whether every trained SAE beats the baseline, as it should. */
import { namesOf, hasOrHave } from '../../findings/names.js';
import { against, measuredIn, trained } from '../reading.js';
import type { SummaryRule } from '../rule.js';

export const baselineConfirmed: SummaryRule = {
  code: 'baseline-confirmed',
  part: 'conclusion',
  condition: {
    en:
      'A RandomK and another SAE that is no near-identity have a strict KLDivPerToken; the ' +
      'baseline is confirmed if the KL of every such SAE is smaller by its interval.',
    zh:
      'RandomK 与另一个并非近似恒等映射的 SAE 都有 strict KLDivPerToken；若区间显示每个此类 SAE 的 ' +
      'KL 都更小，则基线得到确认。',
  },
  check: (context) => {
    const measured = measuredIn(context);
    const others = trained(measured);
    if (others.length === 0) return [];
    return measured
      .filter(({ isBaseline }) => isBaseline)
      .map((baseline) => {
        const behind = others
          .filter((one) => against(context, one, baseline).order !== 'less')
          .map(({ label }) => label);
        const names = namesOf(behind);
        return {
          saes: [baseline.label],
          message:
            behind.length === 0
              ? {
                  en:
                    `Baseline confirmed: every trained SAE that is no near-identity has less KL ` +
                    `than ${baseline.label}.`,
                  zh: `基线得到确认：每个训练过且并非近似恒等映射的 SAE，KL 都小于 ${baseline.label}。`,
                }
              : {
                  en:
                    `Baseline not confirmed: ${names.en} ${hasOrHave(behind)} no less KL than ` +
                    `${baseline.label}.`,
                  zh: `基线未得到确认：${names.zh} 的 KL 不小于 ${baseline.label}。`,
                },
          evidence: { trained: others.length, behind: behind.length },
        };
      });
  },
};
