/**
 * Columns of the latents table that come from the weights: norms, the cosine of encoder and decoder
 * row, and the twin, the other latent whose decoder row points most nearly the same way. Cosines
 * are computed in blocks: no m × m matrix is held.
 */
import type { WeightColumns } from '../../metrics/latent-tally.js';
import type { LatentRows, SAE } from '../../sae/index.js';
import { ops, scope, type Tensor } from '../../torch/index.js';

/** Latents of a block: the cosines of two blocks take 16 MiB. */
const block = 2048;

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
  const rows = ops.cat(
    parts.map((part) => part.narrow(0, from, count)),
    -1,
  );
  return rows.dtype === 'float64' ? rows : rows.to({ dtype: 'float32' });
}

const norms = (rows: Tensor): Tensor =>
  ops.linalg_vector_norm(rows, 2, [-1], { keepdim: false, dtype: 'float64' });

const float64 = (values: Tensor): Float64Array =>
  scope(() => values.to({ dtype: 'float64' })).toTypedArray() as Float64Array;

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

/** Rows of a block as unit vectors, and which of them have no direction: [count, w], [count]. */
function unitRows(rows: LatentRows, at: Block): { unit: Tensor; isNull: Tensor } {
  const decoder = rowsOf(rows.decoder, at);
  const lengths = norms(decoder).unsqueeze(-1).to({ dtype: decoder.dtype });
  const isNull = lengths.gt(0).logical_not();
  return { unit: decoder.div(lengths.masked_fill(isNull, 1)), isNull: isNull.squeeze(-1) };
}

/** The largest cosine of each row of a block with the rows of another, and with which. */
interface Nearest {
  cosine: Float64Array;
  index: BigInt64Array;
}

/** @param along 1: of each row of the first block; 0: of each row of the second. */
function nearestAlong(cosines: Tensor, along: 0 | 1): Nearest {
  const { largest, index } = scope(() => {
    const found = cosines.argmax(along);
    return { largest: cosines.gather(along, found.unsqueeze(along)).squeeze(along), index: found };
  });
  try {
    return { cosine: float64(largest), index: index.toTypedArray() as BigInt64Array };
  } finally {
    largest.dispose();
    index.dispose();
  }
}

interface Twins {
  cosine: Float64Array;
  twin: Float64Array;
}

/** Keeps what is nearer than what was found. Blocks come in order, so the first of equals stays. */
function take(twins: Twins, own: Block, other: Block, { cosine, index }: Nearest): void {
  for (let row = 0; row < own.count; row++) {
    const latent = own.from + row;
    const value = cosine[row]!;
    if (value === -Infinity || !(Number.isNaN(twins.twin[latent]) || value > twins.cosine[latent]!))
      continue;
    twins.cosine[latent] = value;
    twins.twin[latent] = other.from + Number(index[row]!);
  }
}

async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise(setImmediate);
  signal?.throwIfAborted();
}

async function twinsOf(
  rows: LatentRows,
  { m, signal }: { m: number; signal: AbortSignal | undefined },
): Promise<Twins> {
  const twins = { cosine: new Float64Array(m).fill(NaN), twin: new Float64Array(m).fill(NaN) };
  const blocks = blocksOf(m);
  for (const [i, own] of blocks.entries())
    for (const other of blocks.slice(i)) {
      await turn(signal);
      scope(() => {
        const first = unitRows(rows, own);
        const second = other === own ? first : unitRows(rows, other);
        const cosines = first.unit.matmul(second.unit.t());
        // A row is no twin of itself, and one without direction is nobody's.
        if (other === own) cosines.fill_diagonal_(-Infinity);
        cosines.masked_fill_(first.isNull.unsqueeze(1), -Infinity);
        cosines.masked_fill_(second.isNull.unsqueeze(0), -Infinity);
        if (other !== own) take(twins, other, own, nearestAlong(cosines, 0));
        take(twins, own, other, nearestAlong(cosines, 1));
        return null;
      });
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
    const { cosine, twin } = await twinsOf(rows, { m, signal });
    return { encoderNorm, decoderNorm, encoderDecoderCosine, twinCosine: cosine, twin };
  } finally {
    for (const one of [...rows.encoder, ...rows.decoder, rows.encoderDivisor]) one?.dispose();
  }
}
