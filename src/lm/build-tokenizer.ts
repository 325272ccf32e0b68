/**
 * Makes the native tokenizer of a model's files. A class of transformers that builds its tokenizer
 * anew takes the vocabulary, the merges and the post-processor from `tokenizer.json`; for any other
 * class the file is taken as it stands. Tokens of the other files are added at the end.
 */
import { AddedToken as NativeToken, Tokenizer as NativeTokenizer } from 'tokenizers';
import { SaeEvalError } from '../errors.js';
import { readTokens, type AddedToken, type TokenizerFiles, type Tokens } from './added-tokens.js';
import type { JsonFields } from './json-fields.js';
import { tokenizerClassOf } from './tokenizer-class.js';
import { tokenizerClasses, type TokenizerClass, type TokenizerParts } from './tokenizer-classes.js';

/** The class that builds the tokenizer anew; null if the file is taken as it stands. */
function findClass(
  { tokenizer, config }: TokenizerFiles,
  model: JsonFields | null,
): TokenizerClass | null {
  const name = tokenizerClassOf({ settings: config, model });
  // The classes build byte-pair encodings. In older files the model has no type.
  const type = tokenizer.section('model')?.value('type') ?? null;
  return type === null || type === 'BPE' ? (tokenizerClasses.get(name ?? '') ?? null) : null;
}

/** The file with the parts of the class, and without added tokens. */
function rebuilt(
  { tokenizer, config }: TokenizerFiles,
  { tokenizerClass, tokens }: { tokenizerClass: TokenizerClass; tokens: Tokens },
): TokenizerParts {
  const parts = tokenizerClass.parts({ config, unknown: tokens.named.get('unk_token') ?? null });
  const model = tokenizer.section('model')!;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    post_processor: tokenizer.value('post_processor'),
    ...parts,
    model: {
      ...parts.model,
      type: 'BPE',
      vocab: model.value('vocab'),
      merges: model.value('merges'),
    },
  };
}

function nativeToken({ content, special, ...options }: AddedToken): NativeToken {
  return new NativeToken(content, special, {
    normalized: options.normalized,
    leftStrip: options.lstrip,
    rightStrip: options.rstrip,
    singleWord: options.single_word,
  });
}

/**
 * Native tokenizer, as transformers' class makes it of the files, and the tokens added to it.
 * @param options.text content of `tokenizer.json`.
 * @param options.model `config.json` of the model.
 * @throws SaeEvalError `tokenizer-invalid`.
 */
export function buildTokenizer(
  files: TokenizerFiles,
  { text, model }: { text: string; model: JsonFields | null },
): { native: NativeTokenizer; tokens: Tokens } {
  if (files.config?.boolean('split_special_tokens', false) === true)
    files.config.invalid('split_special_tokens', 'false: special tokens in a text are kept whole');
  const tokenizerClass = findClass(files, model);
  const tokens = readTokens(files, tokenizerClass);
  try {
    const native = NativeTokenizer.fromString(
      tokenizerClass === null ? text : JSON.stringify(rebuilt(files, { tokenizerClass, tokens })),
    );
    // A file may have the settings of its author's last use. Lengths are set by the evaluation.
    native.disableTruncation();
    native.disablePadding();
    native.addAddedTokens(tokens.added.map(nativeToken));
    return { native, tokens };
  } catch (thrown) {
    throw new SaeEvalError(
      'tokenizer-invalid',
      `${files.tokenizer.file}: expected a tokenizer as the tokenizers library writes it: ` +
        `${thrown instanceof Error ? thrown.message : String(thrown)}.`,
      { cause: thrown },
    );
  }
}
