/** The run was stopped, and its numbers are over a part of the samples. */
import type { Rule } from '../rule.js';

export const stopped: Rule = {
  code: 'stopped',
  severity: 'warning',
  condition: {
    en: 'The run was stopped before all samples were done, and kept what it had.',
    zh: '运行在完成全部样本之前被停止，并保留了已得到的结果。',
  },
  check: ({ stopped: isStopped = false, data: { samples } }) =>
    isStopped
      ? [
          {
            sae: null,
            message: {
              en:
                `The run was stopped: the numbers are over the ${samples} samples done until ` +
                'then.',
              zh: `运行被提前停止：所列数值仅基于此前完成的 ${samples} 个样本。`,
            },
            evidence: { samples },
          },
        ]
      : [],
};
