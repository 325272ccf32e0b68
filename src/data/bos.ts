/** The BOS token at the head of a text. */
import { SaeEvalError } from '../errors.js';
import type { Tokenizer } from '../lm/tokenizer.js';

/**
 * Way in which BOS is put before each text: `true` exactly one, `false` none that the tokenizer
 * adds, undefined as the tokenizer does by itself.
 */
export type PrependBos = boolean | undefined;

/**
 * The ids of a text with or without BOS at their head.
 * @throws SaeEvalError `request-invalid` if BOS is wanted and the tokenizer has none.
 */
export function bosSetter(
  { bosId, addsBos }: Tokenizer,
  prependBos: PrependBos,
): (ids: readonly number[]) => readonly number[] {
  if (prependBos === undefined) return (ids) => ids;
  if (!prependBos) return (ids) => (addsBos && ids[0] === bosId ? ids.slice(1) : ids);
  if (bosId === null) {
    const message = 'expected a tokenizer with a BOS token, found one without: leave it out';
    throw new SaeEvalError('request-invalid', `dataset.prependBos: ${message}`, {
      fields: [{ path: 'dataset.prependBos', message }],
    });
  }
  return (ids) => (ids[0] === bosId ? ids : [bosId, ...ids]);
}
