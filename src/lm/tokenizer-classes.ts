/**
 * Tokenizer classes of transformers 5 that build their tokenizer anew: they take the vocabulary,
 * the merges and the post-processor from `tokenizer.json`, the rest is their own. Each also has
 * special tokens of its own, which hold where the files name none.
 */
import type { JsonFields } from './json-fields.js';

/** Attributes of a tokenizer that hold a special token, in transformers' order. */
export const specialTokenNames = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

export type SpecialTokenName = (typeof specialTokenNames)[number];

/** Parts of a `tokenizer.json`. */
export type TokenizerParts = Record<string, unknown>;

export interface TokenizerClass {
  /** Special tokens of the class. A token of null cannot come from the padding section either. */
  readonly defaults: Readonly<Partial<Record<SpecialTokenName, string | null>>>;
  /** Parts that replace those in the file; `model` is laid over the file's. */
  readonly parts: (settings: Settings) => TokenizerParts & { model: TokenizerParts };
}

interface Settings {
  /** `tokenizer_config.json`; null if there is none. */
  readonly config: JsonFields | null;
  /** Text of the token for what the vocabulary does not have. */
  readonly unknown: string | null;
}

const bytes = (addPrefixSpace: boolean, useRegex = true): TokenizerParts => ({
  type: 'ByteLevel',
  add_prefix_space: addPrefixSpace,
  trim_offsets: true,
  use_regex: useRegex,
});

const byteLevelDecoder = bytes(true);

const byteLevelModel = {
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: '',
  end_of_word_suffix: '',
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

const spacesModel = {
  ...byteLevelModel,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: true,
  byte_fallback: true,
};

const spacesDecoders = [
  { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
  { type: 'ByteFallback' },
  { type: 'Fuse' },
];

function addsSpace({ config }: Settings, fallback: boolean): boolean {
  return config?.boolean('add_prefix_space', fallback) ?? fallback;
}

const gpt2: TokenizerClass = {
  defaults: {
    bos_token: '<|endoftext|>',
    eos_token: '<|endoftext|>',
    unk_token: '<|endoftext|>',
    pad_token: null,
  },
  parts: (settings) => ({
    normalizer: null,
    pre_tokenizer: bytes(addsSpace(settings, false)),
    decoder: byteLevelDecoder,
    model: byteLevelModel,
  }),
};

/** Class of Phi's files. */
const codeGen: TokenizerClass = {
  defaults: gpt2.defaults,
  // The class makes its own post-processor, which adds nothing.
  parts: (settings) => ({ ...gpt2.parts(settings), post_processor: null }),
};

const gptNeoX: TokenizerClass = {
  defaults: { ...gpt2.defaults, pad_token: '<|padding|>' },
  parts: (settings) => ({
    ...gpt2.parts(settings),
    normalizer: { type: 'NFC' },
    // The class makes its own, which adds nothing.
    post_processor: null,
  }),
};

const cohere: TokenizerClass = {
  defaults: {
    unk_token: '<UNK>',
    bos_token: '<BOS_TOKEN>',
    eos_token: '<|END_OF_TURN_TOKEN|>',
    pad_token: '<PAD>',
    cls_token: '<CLS>',
    sep_token: '<SEP>',
    mask_token: '<MASK_TOKEN>',
  },
  parts: (settings) => ({
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        bytes(addsSpace(settings, false)),
      ],
    },
    decoder: bytes(addsSpace(settings, false)),
    model: byteLevelModel,
  }),
};

const qwenWords =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" +
  ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Qwen3.5's words keep combining marks. */
const qwen35Words =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|" +
  ' ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

const qwen = (words: string): TokenizerClass => ({
  defaults: {
    bos_token: null,
    eos_token: '<|endoftext|>',
    unk_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
  },
  parts: (settings) => ({
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: words }, behavior: 'Isolated', invert: false },
        bytes(addsSpace(settings, false), false),
      ],
    },
    decoder: byteLevelDecoder,
    model: byteLevelModel,
  }),
});

const gemma: TokenizerClass = {
  defaults: {
    unk_token: '<unk>',
    bos_token: '<bos>',
    eos_token: '<eos>',
    pad_token: '<pad>',
    mask_token: '<mask>',
  },
  parts: ({ unknown }) => ({
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: {
      type: 'Split',
      pattern: { String: ' ' },
      behavior: 'MergedWithPrevious',
      invert: false,
    },
    decoder: { type: 'Sequence', decoders: spacesDecoders },
    model: { ...spacesModel, unk_token: unknown },
  }),
};

const llama: TokenizerClass = {
  defaults: { unk_token: '<unk>', bos_token: '<s>', eos_token: '</s>' },
  parts: (settings) => {
    const space = addsSpace(settings, true);
    const legacy = settings.config?.boolean('legacy', false) ?? false;
    return {
      normalizer: null,
      pre_tokenizer: {
        type: 'Metaspace',
        replacement: '▁',
        prepend_scheme: space ? (legacy ? 'always' : 'first') : 'never',
        split: false,
      },
      decoder: {
        type: 'Sequence',
        decoders: [
          ...spacesDecoders,
          ...(space ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
        ],
      },
      model: spacesModel,
    };
  },
};

/** Classes that build their tokenizer anew, by name without `Fast`. */
export const tokenizerClasses: ReadonlyMap<string, TokenizerClass> = new Map([
  ['GPT2Tokenizer', gpt2],
  ['GPTNeoXTokenizer', gptNeoX],
  ['CodeGenTokenizer', codeGen],
  ['CohereTokenizer', cohere],
  ['GemmaTokenizer', gemma],
  ['LlamaTokenizer', llama],
  ['Qwen2Tokenizer', qwen(qwenWords)],
  ['Qwen3_5Tokenizer', qwen(qwen35Words)],
]);
