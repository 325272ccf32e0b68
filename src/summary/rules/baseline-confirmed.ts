/** Whether every trained SAE beats the baseline, as it should. */
import { namesOf } from '../../findings/names.js';
import { notAhead, standingsOf } from '../reading.js';
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
  check: (context) =>
    standingsOf(context).map((standing) => {
      const { label } = standing.baseline;
      const behind = notAhead(standing).map((one) => one.label);
      const names = namesOf(behind);
      return {
        saes: [label],
        message:
          behind.length === 0
            ? {
                en:
                  'Baseline confirmed: every trained SAE that is no near-identity has less KL ' +
                  `than ${label}.`,
                zh: `基线得到确认：每个训练过且并非近似恒等映射的 SAE，KL 都小于 ${label}。`,
              }
            : {
                en:
                  `Baseline not confirmed: the intervals do not show less KL than ${label} for ` +
                  `${names.en}.`,
                zh: `基线未得到确认：区间未显示 ${names.zh} 的 KL 小于 ${label}。`,
              },
        evidence: { trained: standing.others.length, behind: behind.length },
      };
    }),
};
