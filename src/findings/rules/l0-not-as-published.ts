/** The number of active latents is not the published one: the SAE reads something else. */
import { cite, evaluated, percent, saesOf, spanOf, type Rule } from '../rule.js';

export const mostDeviation = 0.25;

export const l0NotAsPublished: Rule = {
  code: 'l0-not-as-published',
  severity: 'warning',
  condition: {
    en:
      `Strict L0 differs by more than ${100 * mostDeviation} % from the L0 that the SAE's file ` +
      'or path states, without inferK and theta.',
    zh:
      `strict L0 与 SAE 文件或路径所述 L0 之差超过 ${100 * mostDeviation}%，` +
      '且未使用 inferK 或 theta。',
  },
  check: (context) => {
    const { inferK, theta } = context.config;
    if (typeof inferK === 'number' || typeof theta === 'number') return [];
    return evaluated(context).flatMap((sae) => {
      const { publishedL0: published, strict } = sae;
      const measured = strict?.L0?.mean;
      if (published === undefined || measured === undefined) return [];
      const deviation = measured / published - 1;
      if (Math.abs(deviation) <= mostDeviation) return [];
      const off = percent(Math.abs(deviation));
      return [
        {
          sae: sae.label,
          message: {
            en:
              `${sae.label} has ${cite(measured)} active latents per token; its publisher states ` +
              `${cite(published)} (${off} ${deviation > 0 ? 'more' : 'fewer'}). Usual causes: ` +
              'another layer or site than it was trained on, another model or its ' +
              'instruction-tuned version, a scale or normalization that is missing, special ' +
              'tokens that count.',
            zh:
              `${sae.label} 每词元激活 ${cite(measured)} 个潜变量，而发布者所述为 ` +
              `${cite(published)}（${deviation > 0 ? '多' : '少'} ${off}）。常见原因：层或位置与` +
              '训练时不同，换了模型或其指令微调版本，缺少缩放或归一化，计入了特殊词元。',
          },
          evidence: { L0: measured, publishedL0: published },
        },
      ];
    });
  },
  together: (found) => ({
    en:
      `The L0 of ${saesOf(found).en} is not the published one (${spanOf(found, 'L0').en} ` +
      'measured, ' +
      `${spanOf(found, 'publishedL0').en} published). Usual causes: another layer or site than ` +
      'they ' +
      'were trained on, another model or its instruction-tuned version, a scale or normalization ' +
      'that is missing, special tokens that count.',
    zh:
      `${saesOf(found).zh} 的 L0 与发布者所述不符（测得 ${spanOf(found, 'L0').zh}，所述 ` +
      `${spanOf(found, 'publishedL0').zh}）。常见原因：层或位置与训练时不同，换了模型或其指令微调` +
      '版本，缺少缩放或归一化，计入了特殊词元。',
  }),
};
