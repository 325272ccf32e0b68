/** The place of a Crosscoder among the other trained SAEs. */
import { cite } from '../../findings/rule.js';
import { placeOf } from '../../findings/place.js';
import { against, measuredIn, trained } from '../reading.js';
import type { SummaryRule } from '../rule.js';

export const crosscoderPlace: SummaryRule = {
  code: 'crosscoder-place',
  part: 'verdict',
  condition: {
    en:
      'A Crosscoder that is no near-identity has a strict KLDivPerToken, and so has another ' +
      'trained SAE. Another SAE is before or behind it if the interval of the difference leaves ' +
      'out 0.',
    zh:
      '一个并非近似恒等映射的 Crosscoder 与另一个训练过的 SAE 都有 strict KLDivPerToken。' +
      '差异的区间不含 0 时，才计入先后。',
  },
  check: (context) => {
    const all = trained(measuredIn(context));
    return all
      .filter(({ sae }) => sae.kind === 'Crosscoder')
      .flatMap((one) => {
        const others = all.filter((other) => other !== one);
        if (others.length === 0) return [];
        const orders = others.map((other) => against(context, one, other).order);
        const count = (order: string): number => orders.filter((found) => found === order).length;
        const [more, less, open] = [count('more'), count('less'), count('open')];
        const place = placeOf(one.sae);
        const latents = cite(one.l0 ?? 0);
        return [
          {
            saes: [one.label],
            message: {
              en:
                `${one.label} describes ${place.en} with one set of latents, ${latents} active ` +
                `per token: KL ${cite(one.kl)} nats per token. Of ${others.length} other trained ` +
                `SAEs that are no near-identities, ${more} have less KL, ${less} more, and ${open} ` +
                'cannot be told from it.',
              zh:
                `${one.label} 用同一组潜变量描述${place.zh}，每词元激活 ${latents} 个，每词元 KL ` +
                `${cite(one.kl)} 奈特。其余 ${others.length} 个训练过且并非近似恒等映射的 SAE 中，` +
                `${more} 个 KL 更小，${less} 个更大，${open} 个无法与之区分。`,
            },
            evidence: { KLDivPerToken: one.kl, L0: one.l0 ?? 0, less: more, more: less, open },
          },
        ];
      });
  },
};
