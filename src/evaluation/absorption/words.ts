/** The words of a vocabulary, in a prompt that asks for their first letter. */
import type { Sample } from '../../data/index.js';
import { SaeEvalError } from '../../errors.js';
import type { Tokenizer } from '../../lm/index.js';
import { spread } from '../../statistics/label-task.js';

/** Fewest words of a letter that is looked at: two of them are tested. */
const fewestPerLetter = 10;

/** Examples that stand before the word. */
const exampleCount = 10;

export interface LetterWords {
  letters: string[];
  /** Prompts that end with the word. */
  samples: Sample[];
  /** Place in `letters` of each word's letter. */
  letterOf: number[];
}

/** Ids of the tokens that are words, by their first letter in lower case. */
function wordsByLetter(tokenizer: Tokenizer, vocabulary: number): Map<string, number[]> {
  const found = new Map<string, number[]>();
  const count = Math.min(vocabulary, tokenizer.vocabulary);
  for (let id = 0; id < count; id++) {
    if (tokenizer.specialIds.has(id)) continue;
    const text = tokenizer.decode([id]);
    if (!/^ ?[A-Za-z]+$/.test(text)) continue;
    const letter = text.trim()[0]!.toLowerCase();
    found.set(letter, [...(found.get(letter) ?? []), id]);
  }
  return found;
}

const asked = (word: string): string =>
  `${word} has the first letter: ${word.trim()[0]!.toUpperCase()}\n`;

/**
 * The words of the vocabulary, at most 200 of each letter, spread evenly over its ids.
 * @throws SaeEvalError `request-invalid` if fewer than two letters have ten words.
 */
export async function letterWords(
  tokenizer: Tokenizer,
  {
    vocabulary,
    maxPositions,
    prependBos,
    perLetter = 200,
  }: {
    vocabulary: number;
    maxPositions: number;
    prependBos: boolean | undefined;
    /** Most words of a letter; default 200. */
    perLetter?: number;
  },
): Promise<LetterWords> {
  const all = wordsByLetter(tokenizer, vocabulary);
  const examples = spread(
    [...all.keys()].sort().flatMap((letter) => spread(all.get(letter)!, 1)),
    exampleCount,
  );
  const text = `\n${examples.map((id) => asked(tokenizer.decode([id]))).join('')}`;
  const [prompt] = await tokenizer.encodeBatch([text], { specials: 'none' });
  const bos = (prependBos ?? tokenizer.addsBos) && tokenizer.bosId !== null;
  const before = [...(bos ? [tokenizer.bosId] : []), ...prompt!];
  const letters = [...all.keys()]
    .sort()
    .filter((letter) => all.get(letter)!.length >= fewestPerLetter);
  const message =
    letters.length < 2
      ? `needs words of two letters in the vocabulary, found ${letters.length}`
      : before.length + 1 > maxPositions
        ? `needs a model with ${before.length + 1} positions, found ${maxPositions}`
        : null;
  if (message !== null)
    throw new SaeEvalError('request-invalid', `absorption: ${message}; leave it out`, {
      fields: [{ path: 'absorption', message }],
    });
  const samples: Sample[] = [];
  const letterOf: number[] = [];
  letters.forEach((letter, at) => {
    const words = all.get(letter)!.filter((id) => !examples.includes(id));
    for (const id of spread(words, perLetter)) {
      const ids = Int32Array.from([...before, id]);
      samples.push({ ids, length: ids.length, truncated: 0 });
      letterOf.push(at);
    }
  });
  return { letters, samples, letterOf };
}
