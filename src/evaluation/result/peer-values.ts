/** The numbers of other tools for an SAE, read out of an accumulator, with the notes on them. */
import type { Bilingual } from '../../bilingual.js';
import type { Accumulator } from '../../metrics/accumulator.js';
import { cleanKey, lengthKey, slotKey, vectorKey } from '../../metrics/keys.js';
import { passColumns } from '../../metrics/peers/columns.js';
import type { PeerValues } from '../../metrics/peers/fields.js';
import type { PeerProtocol } from '../../metrics/peers/protocols.js';
import { peerValues, type PeerSums } from '../../metrics/peers/values.js';
import type { Note } from '../../schema/index.js';

/** A protocol of another tool under which an SAE was measured. */
export interface PeerMeasured {
  protocol: PeerProtocol;
  /** Key of the positions that count. */
  positions: string;
}

export type PeerResults = Partial<Record<PeerProtocol, PeerValues | null>>;

const totalOf = (values: Float64Array, from = 0, to = values.length): number => {
  let total = 0;
  for (let i = from; i < to; i++) total += values[i]!;
  return total;
};

/** Sums over each batch. */
function byBatch(values: Float64Array, sizes: readonly number[]): number[] {
  let from = 0;
  return sizes.map((size) => totalOf(values, from, (from += size)));
}

function sumsOf(
  accumulator: Accumulator,
  { owner, width }: { owner: string; width: number },
  { protocol, positions }: PeerMeasured,
): PeerSums | null {
  const clean = (name: 'positions' | 'nextPositions' | 'ceClean'): Float64Array | null =>
    accumulator.column(cleanKey('strict', name, positions));
  const column = (name: string): Float64Array | null =>
    accumulator.column(slotKey({ owner, protocol, slot: 0 }, name));
  const counts = clean('positions');
  const nextCounts = clean('nextPositions');
  if (counts === null || nextCounts === null) return null;
  const { batchSizes } = accumulator;
  const spliced = column(passColumns.kl.name)?.length ?? 0;
  const ceClean = clean('ceClean');
  return {
    width,
    tokens: byBatch(counts, batchSizes),
    batches: (name) => {
      const values = column(name);
      return values === null ? null : byBatch(values, batchSizes);
    },
    spliced:
      spliced === 0 || ceClean === null
        ? null
        : {
            tokens: totalOf(counts, 0, spliced),
            nextTokens: totalOf(nextCounts, 0, spliced),
            ceClean: totalOf(ceClean, 0, spliced),
            total: (name) => {
              const values = column(name);
              return values === null ? null : totalOf(values);
            },
          },
    vector: (name) => accumulator.vector(vectorKey(owner, protocol, name)),
  };
}

/** Value that both tools write for NaN. */
const savedForNaN = -1;

/** NaN as the tools save it; null for infinities, which no JSON has. */
function saved(value: number | null): number | null {
  if (value === null) return null;
  if (Number.isNaN(value)) return savedForNaN;
  return Number.isFinite(value) ? value : null;
}

const isWrong = (value: number | null | undefined): boolean =>
  typeof value === 'number' && !Number.isFinite(value);

const wrongNote: Bilingual = {
  en: 'There it is NaN or infinite: −1 stands for NaN, as the tool saves it, null for infinity.',
  zh: '该值为 NaN 或无穷：NaN 按该工具的做法记为 −1，无穷记为 null。',
};

/** The values of an SAE under one protocol, and a note if the tool has NaN for some. */
export function peerResult(
  accumulator: Accumulator,
  subject: { owner: string; width: number },
  measured: PeerMeasured,
): { values: PeerValues | null; notes: Note[] } {
  const sums = sumsOf(accumulator, subject, measured);
  if (sums === null) return { values: null, notes: [] };
  const raw = peerValues(measured.protocol, sums);
  const wrong = Object.entries(raw).flatMap(([name, value]) => (isWrong(value) ? [name] : []));
  const values = Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [name, saved(value ?? null)]),
  ) as unknown as PeerValues;
  return {
    values,
    notes: wrong.map((name) => ({ metric: `${measured.protocol}.${name}`, ...wrongNote })),
  };
}

/** Whether some sample is shorter than the others are meant to be. */
export function hasPadding(accumulator: Accumulator, seqLen: number): boolean {
  return accumulator.column(lengthKey)?.some((length) => length < seqLen) ?? false;
}

/** Remark on a run whose samples are padded. */
export const paddedNote: Bilingual = {
  en:
    'Some samples are padded, which the tool never does: padding does not count here, and the ' +
    'numbers are not number for number those of the tool. dataset.chunking "saelens" cuts text ' +
    'as the tool does.',
  zh:
    '部分样本含填充，而该工具从不填充：此处填充不计入，因此这些数值并非逐一等于该工具的结果。' +
    'dataset.chunking 取 "saelens" 即按该工具的方式切分文本。',
};

/** Reason why an SAE has no number under a protocol of another tool. */
export const notOneHook: Bilingual = {
  en: 'The tool measures SAEs that reconstruct one hook point; this one has several places.',
  zh: '该工具只测量重建单个钩子点的 SAE；此 SAE 涉及多个位置。',
};
