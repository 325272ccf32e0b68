/** Descriptions of transcoders, made from those of dictionaries with the same weights. */
import type { FormatDescription } from './formats/format.js';
import type { DictionaryForm, Place, TranscoderForm, Weight } from './description.js';

type Transcoding = {
  /** Width of what it predicts. */
  dOut: number;
  /** Name of the hook point that it predicts; null if the file names none. */
  out: string | null;
  skip?: Weight | null;
};

/**
 * The description of a transcoder. What it reads is not centered, and its decoder bias belongs to
 * what it predicts: of two widths it cannot be subtracted from the input.
 */
export function transcoding(
  { subtractDecoderBias, place, ...dictionary }: FormatDescription & DictionaryForm,
  { dOut, out, skip = null }: Transcoding,
): FormatDescription & TranscoderForm {
  const reads = place as Extract<Place, { over: 'hook point' }>;
  return {
    ...dictionary,
    form: 'transcoder',
    dOut,
    skip,
    centered: false,
    subtractDecoderBias: subtractDecoderBias && dOut === dictionary.d,
    place: { ...reads, out },
  };
}
