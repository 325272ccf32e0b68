/** What the files of the language model say, and what is made of it. */
import type { Rule } from '../rule.js';

export const modelFiles: Rule = {
  code: 'model-files',
  severity: 'info',
  condition: {
    en: 'A file of the language model says something that is not used, or contradicts another.',
    zh: '语言模型的某个文件中有未被使用的内容，或与另一文件矛盾。',
  },
  check: ({ config }) =>
    (config.architecture.notes ?? []).map((message) => ({
      sae: null,
      message,
      evidence: { model: config.model },
    })),
};
