/** From a path to the description of an SAE of which only the decoder matters. */
import { SaeEvalError, asSaeEvalError } from '../../errors.js';
import { located } from '../../hub-cache.js';
import type { SaeDescription } from '../../sae/description.js';
import { recognize } from '../../sae/formats/recognize.js';
import { GivenSettings } from '../../sae/given.js';
import type { SaeKind } from '../../schema/index.js';

/** Kinds with one decoder, which a file may be that does not say. */
const kinds: readonly SaeKind[] = ['TopK', 'Vanilla', 'JumpReLU', 'Gated', 'RouteSAE'];

/**
 * Describes an SAE without what its decoder does not depend on: k, layer and scale may be missing.
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`, `sae-kind`.
 */
export async function describeDecoder(
  path: string,
  { prefix, kind }: { prefix?: string | undefined; kind?: SaeKind | undefined } = {},
): Promise<SaeDescription> {
  const file = await recognize(located(path, 'SAE'), prefix);
  const described = (one?: SaeKind): SaeDescription =>
    file.describe(new GivenSettings(one === undefined ? {} : { kind: one }));
  if (kind !== undefined) return described(kind);
  try {
    return described();
  } catch (thrown) {
    const error = asSaeEvalError(thrown);
    if (error.code !== 'sae-kind') throw error;
    for (const one of kinds) {
      try {
        return described(one);
      } catch (other) {
        if (
          !(other instanceof SaeEvalError) ||
          (!other.code.startsWith('sae-') && !other.code.startsWith('checkpoint-'))
        )
          throw other;
      }
    }
    throw error;
  }
}
