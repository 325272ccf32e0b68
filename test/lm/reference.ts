/** Runs a model on the inputs of a fixture and compares its states with those of transformers. */
import { readCheckpoint } from '#src/checkpoint/read.js';
import { openTensors } from '#src/checkpoint/tensors.js';
import type { LanguageModel } from '#src/lm/index.js';
import type { ContextOptions } from '#src/lm/model.js';
import { fromTypedArray, scope, type Tensor } from '#src/torch/index.js';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export async function readTensors(path: string): Promise<Map<string, Tensor>> {
  return openTensors(await readCheckpoint(path));
}

export interface States {
  /** r_0 … r_L, then `h.last` and `logits`, [B, T, …] each, of an unpadded batch [1, T, …]. */
  states: Map<string, Tensor>;
  lengths: number[];
  T: number;
}

/** One clean pass, block by block. */
export function forward(
  model: LanguageModel,
  ids: Tensor,
  lengths: number[],
  options: ContextOptions = {},
): States {
  const T = ids.shape[1]!;
  const context = model.context(lengths, T, options);
  try {
    return scope(() => {
      const states = new Map<string, Tensor>();
      let r = model.embed(ids, context);
      states.set('h.0', r);
      for (let i = 1; i <= model.layers; i++) {
        r = model.block(i, r, context);
        states.set(`r.${i}`, r);
      }
      const h = model.finalNorm(r);
      states.set('h.last', h);
      states.set(
        'logits',
        model.head(h.reshape([-1, model.width])).unflatten(0, [ids.shape[0]!, T]),
      );
      return { states, lengths, T };
    });
  } finally {
    context.dispose();
  }
}

/**
 * Largest min(|a − b|, |a − b| / |b|) over the real positions, or over all with `padding`; NaN or
 * infinite if one value is.
 */
export function deviation(
  a: Tensor,
  b: Tensor,
  { lengths, T }: { lengths: readonly number[]; T: number },
  { padding = false } = {},
): number {
  return scope(() => {
    const error = a
      .to({ dtype: 'float64' })
      .sub(b.to({ dtype: 'float64' }))
      .abs();
    const smaller = error.minimum(error.div(b.to({ dtype: 'float64' }).abs().clamp_min(1e-30)));
    const counts = fromTypedArray(
      Float64Array.from(
        lengths.flatMap((length) =>
          Array.from({ length: T }, (_, t) => (padding || t < length ? 1 : 0)),
        ),
      ),
      [lengths.length, T, 1],
    );
    return smaller.mul(counts).max().item();
  });
}

/** Deviation of every state that a fixture has. Names in `expected` may have a prefix. */
export function deviations(
  model: LanguageModel,
  expected: ReadonlyMap<string, Tensor>,
  {
    prefix = '',
    padding = false,
    aliases = {},
  }: { prefix?: string; padding?: boolean; aliases?: Record<string, string> } = {},
): Record<string, number> {
  const ids = expected.get(`${prefix}input_ids`) ?? expected.get('input_ids')!;
  const mask = expected.get(`${prefix}attention_mask`) ?? expected.get('attention_mask')!;
  return scope(() => {
    const lengths = mask.sum([1]).toArray() as number[];
    const computed = forward(model, ids, lengths);
    const result: Record<string, number> = {};
    for (const [name, state] of computed.states) {
      const wanted = expected.get(prefix + (aliases[name] ?? name));
      if (wanted !== undefined) result[name] = deviation(state, wanted, computed, { padding });
    }
    return result;
  });
}
