/** Why a metric is null for a kind under a protocol. */
import type { Bilingual, Note, SaeKind } from '../../schema/index.js';

export interface NoteContext {
  kind: SaeKind;
  routing: 'hard' | 'soft' | null;
}

const crosscoderReference: Bilingual = {
  en:
    'Under reference a Crosscoder has no splice: its latents belong to several layers at ' +
    'once. strict splices one layer at a time.',
  zh: '在 reference 协议下 Crosscoder 没有替换：其潜变量同时属于多个层。strict 协议逐层替换。',
};
const softReference: Bilingual = {
  en:
    'Under reference soft routing has no splice. strict adds each layer its weighted share ' +
    'of the reconstruction error.',
  zh: '在 reference 协议下软路由没有替换。strict 协议把重建误差按权重加到每一层。',
};
const noRouter: Bilingual = {
  en: 'Only RouteSAE routes tokens to layers.',
  zh: '只有 RouteSAE 会把词元路由到不同的层。',
};
const notAsked: Bilingual = {
  en: 'Not among the metrics asked for.',
  zh: '不在所请求的指标之中。',
};
const noVariance: Bilingual = {
  en: 'All inputs are equal: there is no variance to explain.',
  zh: '所有输入都相同：没有可解释的方差。',
};
const noneFound: Bilingual = {
  en: 'There was nothing to compute it from.',
  zh: '没有可用于计算的数据。',
};

/** The reason why `metric` is null under a protocol. */
export function reasonFor(
  metric: string,
  protocol: 'reference' | 'strict',
  { asked, kind, routing }: NoteContext & { asked: boolean },
): Note {
  const because = (reason: Bilingual): Note => ({ metric: `${protocol}.${metric}`, ...reason });
  if (!asked) return because(notAsked);
  if ((metric === 'RoutingShare' || metric === 'RoutedPositions') && kind !== 'RouteSAE')
    return because(noRouter);
  if (protocol === 'reference' && kind === 'Crosscoder') return because(crosscoderReference);
  if (protocol === 'reference' && routing === 'soft') return because(softReference);
  return because(metric === 'ExplainedVariance' ? noVariance : noneFound);
}
