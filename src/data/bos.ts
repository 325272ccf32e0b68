/** The BOS token at the head of a text. */
import { SaeEvalError } from '../errors.js';
import type { Tokenizer } from '../lm/tokenizer.js';
import type { PieceTokens } from './assembly.js';

/**
 * Way in which BOS is put before each text: `true` exactly one, `false` none that the tokenizer
 * adds, undefined as the tokenizer does by itself.
 */
export type PrependBos = boolean | undefined;

/** The tokens of a piece with one more at their head, or without the first. */
function withHead({ counted, ...piece }: PieceTokens, bosId: number | null): PieceTokens {
  const ids = bosId === null ? piece.ids.slice(1) : [bosId, ...piece.ids];
  if (counted === undefined) return { ...piece, ids };
  return {
    ...piece,
    ids,
    counted: bosId === null ? counted.slice(1) : Uint8Array.of(0, ...counted),
  };
}

/**
 * The tokens of a piece with or without BOS at their head. The BOS of a chat template is that of
 * the sample: there is no second one, and `false` takes it off.
 * @throws SaeEvalError `request-invalid` if BOS is wanted and the tokenizer has none.
 */
export function bosSetter(
  { bosId, addsBos }: Tokenizer,
  prependBos: PrependBos,
): (piece: PieceTokens) => PieceTokens {
  if (prependBos === undefined) return (piece) => piece;
  if (!prependBos)
    return (piece) =>
      (addsBos || piece.isRendered === true) && bosId !== null && piece.ids[0] === bosId
        ? withHead(piece, null)
        : piece;
  if (bosId === null) {
    const message = 'expected a tokenizer with a BOS token, found one without: leave it out';
    throw new SaeEvalError('request-invalid', `dataset.prependBos: ${message}`, {
      fields: [{ path: 'dataset.prependBos', message }],
    });
  }
  return (piece) => (piece.ids[0] === bosId ? piece : withHead(piece, bosId));
}
