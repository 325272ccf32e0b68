/**
 * Columns of the latents table that come from the weights: norms, the cosine of encoder and decoder
 * row, and the twin, the other latent whose decoder row points most nearly the same way. Cosines
 * are computed in blocks: no m × m matrix is held.
 */
import type { WeightColumns } from '../../metrics/latent-tally.js';
import type { LatentRows, SAE } from '../../sae/index.js';
import { fromTypedArray, ops, scope, type Tensor } from '../../torch/index.js';

/** Latents of a block: the cosines of two blocks take 4 MiB, which stay in a cache. */
const block = 1024;

interface Block {
  from: number;
  count: number;
}

function blocksOf(m: number): Block[] {
  return Array.from({ length: Math.ceil(m / block) }, (_, i) => ({
    from: i * block,
    count: Math.min(block, m - i * block),
  }));
}

/** Rows of a block, their parts side by side, in float32 at least: [count, w]. */
function rowsOf(parts: readonly Tensor[], { from, count }: Block): Tensor {
  const each = parts.map((part) => part.narrow(0, from, count));
  const rows = each.length === 1 ? each[0]! : ops.cat(each, -1);
  return rows.dtype === 'float64' ? rows : rows.to({ dtype: 'float32' });
}

const norms = (rows: Tensor): Tensor =>
  ops.linalg_vector_norm(rows, 2, [-1], { keepdim: false, dtype: 'float64' });

/** Values on the host, in float64. */
function float64(values: Tensor): Float64Array {
  const wide = scope(() => values.to({ dtype: 'float64' }));
  try {
    return wide.toTypedArray() as Float64Array;
  } finally {
    wide.dispose();
  }
}

/** Norms, and cosines of encoder and decoder rows, of a block. */
function ownOf(rows: LatentRows, at: Block): Record<'encoder' | 'decoder' | 'cosine', Tensor> {
  return scope(() => {
    const encoder = rowsOf(rows.encoder, at);
    const decoder = rowsOf(rows.decoder, at);
    const [read, written] = [norms(encoder), norms(decoder)];
    const cosine = rows.sharesSpace
      ? encoder.mul(decoder).sum([-1], { dtype: 'float64' }).div(read.mul(written))
      : written.mul(NaN);
    const divisor = rows.encoderDivisor?.narrow(0, at.from, at.count) ?? null;
    return { encoder: divisor === null ? read : read.div(divisor), decoder: written, cosine };
  });
}

/** Rows of a block as unit vectors, and which of them have no direction; null if all have one. */
interface UnitRows {
  unit: Tensor; // [count, w]
  isNull: Tensor | null; // [count]
}

function unitRows(rows: LatentRows, at: Block, lengths: Float64Array): UnitRows {
  const own = lengths.subarray(at.from, at.from + at.count);
  const isNull = own.map((length) => (length > 0 ? 0 : 1));
  const factors = own.map((length) => (length > 0 ? 1 / length : 0));
  const decoder = rowsOf(rows.decoder, at);
  const { device, dtype } = decoder;
  const factor = fromTypedArray(factors, [at.count, 1], { device }).to({ dtype });
  return {
    unit: decoder.mul(factor),
    isNull: isNull.includes(1) ? fromTypedArray(isNull, [at.count], { device }).gt(0) : null,
  };
}

interface Twins {
  cosine: Float64Array;
  twin: Float64Array;
}

/**
 * Keeps what is nearer than what was found: of each row of a block, the largest of its cosines
 * [count, others] with the rows of another. Blocks come in order, so the first of equals stays. The
 * places are looked for in those rows alone whose cosine is larger, few after the first blocks.
 */
function take(twins: Twins, own: Block, other: Block, cosines: Tensor): void {
  const largest = float64(scope(() => cosines.amax([1])));
  const nearer: number[] = [];
  largest.forEach((value, row) => {
    const latent = own.from + row;
    if (value === -Infinity || Number.isNaN(value)) return;
    if (!Number.isNaN(twins.twin[latent]) && value <= twins.cosine[latent]!) return;
    twins.cosine[latent] = value;
    nearer.push(row);
  });
  if (nearer.length === 0) return;
  const { device } = cosines;
  const places = scope(() => {
    const rows = fromTypedArray(BigInt64Array.from(nearer, BigInt), [nearer.length], { device });
    return cosines.index_select(0, rows).contiguous().argmax(1);
  });
  const found = places.toTypedArray() as BigInt64Array;
  places.dispose();
  nearer.forEach((row, i) => {
    twins.twin[own.from + row] = other.from + Number(found[i]!);
  });
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}

async function twinsOf(
  rows: LatentRows,
  { lengths, signal }: { lengths: Float64Array; signal: AbortSignal | undefined },
): Promise<Twins> {
  const m = lengths.length;
  const twins = { cosine: new Float64Array(m).fill(NaN), twin: new Float64Array(m).fill(NaN) };
  const blocks = blocksOf(m);
  for (const [i, own] of blocks.entries()) {
    for (const other of blocks.slice(i)) {
      await turn(signal);
      scope(() => {
        const first = unitRows(rows, own, lengths);
        const second = other === own ? first : unitRows(rows, other, lengths);
        const cosines = first.unit.matmul(second.unit.t());
        // A row is no twin of itself, and one without direction is nobody's.
        if (other === own) cosines.fill_diagonal_(-Infinity);
        if (first.isNull !== null) cosines.masked_fill_(first.isNull.unsqueeze(1), -Infinity);
        if (second.isNull !== null) cosines.masked_fill_(second.isNull.unsqueeze(0), -Infinity);
        if (other !== own) take(twins, other, own, cosines.t());
        take(twins, own, other, cosines);
        return null;
      });
    }
  }
  return twins;
}

/**
 * The columns of an SAE's weights, with a turn of the event loop between blocks; null if its
 * latents have no rows of their own.
 */
export async function weightColumns(
  sae: SAE,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<WeightColumns | null> {
  const rows = sae.latentRows();
  if (rows === null) return null;
  const { m } = sae;
  try {
    const encoderNorm = new Float64Array(m);
    const decoderNorm = new Float64Array(m);
    const encoderDecoderCosine = new Float64Array(m);
    for (const at of blocksOf(m)) {
      const own = ownOf(rows, at);
      encoderNorm.set(float64(own.encoder), at.from);
      decoderNorm.set(float64(own.decoder), at.from);
      encoderDecoderCosine.set(float64(own.cosine), at.from);
      for (const one of Object.values(own)) one.dispose();
      await turn(signal);
    }
    const { cosine, twin } = await twinsOf(rows, { lengths: decoderNorm, signal });
    return { encoderNorm, decoderNorm, encoderDecoderCosine, twinCosine: cosine, twin };
  } finally {
    for (const one of [...rows.encoder, ...rows.decoder, rows.encoderDivisor]) one?.dispose();
  }
}
