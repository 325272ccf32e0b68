/** The place of a Crosscoder among the other trained SAEs. */
import { cite } from '../../findings/rule.js';
import { placeKey, placeOf } from '../../findings/place.js';
import { against, measuredIn, trained } from '../reading.js';
import type { SummaryRule } from '../rule.js';

export const crosscoderPlace: SummaryRule = {
  code: 'crosscoder-place',
  part: 'verdict',
  condition: {
    en:
      'A Crosscoder with shared latents that is no near-identity has a strict KLDivPerToken. It ' +
      'is counted against ' +
      'the other trained SAEs at the same layers that are no near-identities, by whether the ' +
      'interval of the difference leaves out 0.',
    zh:
      '一个潜变量共享、并非近似恒等映射的 Crosscoder 有 strict KLDivPerToken。它与同样这些层上其他训练过且' +
      '并非近似恒等映射的 SAE 比较，以差异的区间是否包含 0 为准。',
  },
  check: (context) => {
    const all = trained(measuredIn(context));
    return all
      .filter(({ sae }) => sae.kind === 'Crosscoder' && sae.replacement === undefined)
      .flatMap((one) => {
        const others = all.filter(
          (other) => other !== one && placeKey(other.sae) === placeKey(one.sae),
        );
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
                `per token: KL ${cite(one.kl)} nats per token.` +
                (others.length === 0
                  ? ''
                  : ` Of the trained SAEs at the same layers, ${more} ` +
                    `${more === 1 ? 'has' : 'have'} ` +
                    `less KL, ${less} more, and ${open} cannot be told from it.`),
              zh:
                `${one.label} 用同一组潜变量描述${place.zh}，每词元激活 ${latents} 个，每词元 KL ` +
                `${cite(one.kl)} 奈特。` +
                (others.length === 0
                  ? ''
                  : `同样这些层的其他 SAE 中，${more} 个 KL 更低，${less} 个更高，${open} 个无法区分。`),
            },
            evidence: { KLDivPerToken: one.kl, L0: one.l0 ?? 0, less: more, more: less, open },
          },
        ];
      });
  },
};
