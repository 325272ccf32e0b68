/** An SAE that could not be evaluated. */
import type { Rule } from '../rule.js';

export const saeFailed: Rule = {
  code: 'sae-failed',
  severity: 'error',
  condition: { en: 'An SAE has an error.', zh: '有 SAE 出错。' },
  check: ({ results }) =>
    results.flatMap(({ label, error }) =>
      error === null
        ? []
        : [
            {
              sae: label,
              message: {
                en: `${label} could not be evaluated (${error.code}): ${error.message}`,
                zh: `${label} 无法评估（${error.code}）：${error.message}`,
              },
              evidence: { code: error.code },
            },
          ],
    ),
};
