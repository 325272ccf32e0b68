/** Reasons for the null values of a result. */
import type { Bilingual } from '../../bilingual.js';
import type { Field, Metric } from '../../metrics/metric.js';
import { metrics, needsOf, type Table } from '../../metrics/table.js';
import type { Note, ReferenceValues, SaeKind, StrictValues } from '../../schema/index.js';

export interface NoteContext {
  /** Names of the requested metrics. */
  asked: readonly string[];
  kind: SaeKind;
  routing: 'hard' | 'soft' | null;
  /** Whether it predicts other sites than it reads, or has several layers with latents each. */
  hasNoReference?: boolean;
}

const transcoderReference: Bilingual = {
  en: 'reference has no transcoders and no weakly causal crosscoders.',
  zh: 'reference 协议中没有转码器与弱因果交叉编码器。',
};

const crosscoderReference: Bilingual = {
  en:
    'Under reference a Crosscoder has no splice: its latents belong to several layers at ' +
    'once. strict splices one layer at a time.',
  zh: '在 reference 协议下 Crosscoder 没有替换：其潜变量同时属于多个层。strict 协议逐层替换。',
};
const softReference: Bilingual = {
  en:
    'Under reference soft routing has no splice. strict adds to each layer its weighted share ' +
    'of the reconstruction error.',
  zh: '在 reference 协议下软路由没有替换。strict 协议把重建误差按权重加到每一层。',
};
const notAsked: Bilingual = {
  en: 'The request did not ask for this metric.',
  zh: '请求中没有该指标。',
};
const noData: Bilingual = {
  en: 'There was nothing to compute it from.',
  zh: '没有可用于计算的数据。',
};

function reasonFor(
  field: Field,
  metric: Metric,
  { asked, kind, routing, hasNoReference = false }: NoteContext,
): Bilingual {
  if (!asked.includes(metric.name)) return notAsked;
  if (field.protocol === 'reference' && hasNoReference) return transcoderReference;
  if (field.protocol === 'reference' && needsOf(metric).splice) {
    if (kind === 'Crosscoder') return crosscoderReference;
    if (routing === 'soft') return softReference;
  }
  return field.absent ?? noData;
}

/** A note for each null value. */
export function notesOn(
  values: { reference: ReferenceValues | null; strict: StrictValues | null },
  context: NoteContext,
  table: Table = metrics,
): Note[] {
  return (['reference', 'strict'] as const).flatMap((protocol) => {
    const own = values[protocol] as Record<string, unknown> | null;
    return table.flatMap((metric) =>
      metric.fields.flatMap((field): Note[] =>
        field.protocol === protocol && own?.[field.field] === null
          ? [{ metric: `${protocol}.${field.field}`, ...reasonFor(field, metric, context) }]
          : [],
      ),
    );
  });
}
