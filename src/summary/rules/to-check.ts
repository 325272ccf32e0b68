/** The SAEs to check before they are used, with what to change. */
import type { Bilingual } from '../../bilingual.js';
import { namesOf } from '../../findings/names.js';
import { notAhead, standingsOf, type SummaryContext } from '../reading.js';
import type { SummaryRule } from '../rule.js';

/** Labels of the findings with one of these codes, in the order of the results. */
function labelsWith({ findings, results }: SummaryContext, codes: readonly string[]): string[] {
  const found = new Set(
    findings.flatMap(({ code, sae }) => (codes.includes(code) && sae !== null ? [sae] : [])),
  );
  return results.flatMap(({ label }) => (found.has(label) ? [label] : []));
}

/** Labels of trained SAEs that are not ahead of every baseline. */
const notAheadOfBaseline = (context: SummaryContext): string[] => [
  ...new Set(
    standingsOf(context).flatMap((standing) => notAhead(standing).map(({ label }) => label)),
  ),
];

interface Check {
  code: string;
  condition: Bilingual;
  labels: (context: SummaryContext) => string[];
  /** The fault, and the change to make. */
  advice: Bilingual;
}

const findingCondition = (...codes: string[]): Bilingual => ({
  en: `A finding ${codes.map((code) => `\`${code}\``).join(' or ')} speaks of the SAE.`,
  zh: `发现 ${codes.map((code) => `\`${code}\``).join(' 或 ')} 涉及该 SAE。`,
});

const checks: readonly Check[] = [
  {
    code: 'check-failure',
    condition: findingCondition('sae-failed'),
    labels: (context) => labelsWith(context, ['sae-failed']),
    advice: {
      en: 'no numbers; the findings say what failed and what to do',
      zh: '没有数值；“发现”一节说明失败原因与处理办法',
    },
  },
  {
    code: 'check-sparsity',
    condition: findingCondition('near-identity', 'dense-dictionary'),
    labels: (context) => labelsWith(context, ['near-identity', 'dense-dictionary']),
    advice: {
      en:
        'too many active latents; raise the sparsity penalty (the L1 weight, or that of L0), ' +
        'or lower k',
      zh: '激活的潜变量过多；提高稀疏惩罚（L1 或 L0 的权重），或减小 k',
    },
  },
  {
    code: 'check-training',
    condition: findingCondition('dead-dictionary'),
    labels: (context) => labelsWith(context, ['dead-dictionary']),
    advice: {
      en:
        'many dead latents; train longer, or revive dead latents by an auxiliary loss or ' +
        'resampling',
      zh: '死特征过多；延长训练，或用辅助损失、重采样使其复活',
    },
  },
  {
    code: 'check-scale',
    condition: findingCondition('scale-mismatch', 'l0-not-as-published'),
    labels: (context) => labelsWith(context, ['scale-mismatch', 'l0-not-as-published']),
    advice: {
      en: 'inputs of another scale than in training; check normalization, scale and hook point',
      zh: '输入尺度与训练时不同；检查归一化、scale 与钩点',
    },
  },
  {
    code: 'check-layer',
    condition: {
      en:
        'A RandomK and the SAE have a strict KLDivPerToken, and the interval of the ' +
        'difference does not show that of the SAE to be smaller.',
      zh: 'RandomK 与该 SAE 都有 strict KLDivPerToken，而差异的区间未显示该 SAE 更小。',
    },
    labels: notAheadOfBaseline,
    advice: {
      en:
        'the intervals do not show less KL than the baseline; check that the checkpoint belongs ' +
        'to this layer, or take another layer',
      zh: '区间未显示 KL 小于基线；检查检查点是否属于该层，或换一层',
    },
  },
];

export const toCheck: readonly SummaryRule[] = checks.map(
  ({ code, condition, labels, advice }) => ({
    code,
    part: 'conclusion',
    condition,
    check: (context) => {
      const found = labels(context);
      if (found.length === 0) return [];
      const names = namesOf(found);
      return [
        {
          saes: found,
          message: {
            en: `To be checked: ${names.en}: ${advice.en}.`,
            zh: `待检查：${names.zh}：${advice.zh}。`,
          },
          evidence: { saes: found.length },
        },
      ];
    },
  }),
);
