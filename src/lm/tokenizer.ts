/**
 * Tokenizer of a model, from its `tokenizer.json`, by the library that wrote the file. Ids are
 * those of transformers 5: its class of tokenizer decides what of the file holds, the file's
 * post-processor adds the special tokens, and `add_bos_token` in `tokenizer_config.json` is
 * ignored.
 */
import { join } from 'node:path';
import type { JsEncoding, Tokenizer as NativeTokenizer } from 'tokenizers';
import { SaeEvalError } from '../errors.js';
import { locateModel } from '../hub-cache.js';
import { readTextFile } from '../checkpoint/json-file.js';
import { JsonFields } from './json-fields.js';
import type { TokenizerFiles, Tokens } from './added-tokens.js';
import { buildTokenizer } from './build-tokenizer.js';
import { modelIdFields, modelIds, specialTexts } from './special-tokens.js';
import { checkTokenizerFile } from './tokenizer-file.js';

const unreadable = { code: 'tokenizer-invalid' } as const;

export interface EncodeOptions {
  /** Special tokens around a text: those of the post-processor, or none. Default `own`. */
  specials?: 'own' | 'none';
}

/** Tokens of a text, and where in it they lie. */
export interface PlacedTokens {
  ids: number[];
  /** From and to of each token, in code points. */
  offsets: number[][];
}

export interface Tokenizer {
  /** Ids of each text. Special tokens that stand in a text are found whatever the options say. */
  encodeBatch(texts: readonly string[], options?: EncodeOptions): Promise<number[][]>;
  /** Ids of each text without special tokens around it, with the place of each token. */
  encodePlaced(texts: readonly string[]): Promise<PlacedTokens[]>;
  /** At most `length` of these ids. As in transformers, special tokens at the end stay. */
  truncate(ids: readonly number[], length: number): readonly number[];
  /** Id of the pad token, or of the end-of-sequence token if there is no pad token. */
  readonly padId: number;
  /** `padId`, and ids that stand in for it if the model's embedding does not have it. */
  readonly padIds: readonly number[];
  /**
   * Id of the token that begins a text: the tokenizer's, or else the model's `bos_token_id`; null
   * if neither has one.
   */
  readonly bosId: number | null;
  /** Whether the post-processor puts `bosId` before every text. */
  readonly addsBos: boolean;
  /**
   * Ids of all tokens that the tokenizer's files mark as special, and the ids for begin, end,
   * padding and the decoder's start in the model's `config.json` and `generation_config.json`.
   */
  readonly specialIds: ReadonlySet<number>;
  /** Texts of the special tokens by name: `bos_token`, `eos_token`, …. */
  readonly named: ReadonlyMap<string, string>;
  /** Ids of those that the tokenizer has. */
  readonly namedIds: ReadonlyMap<string, number>;
  /** Number of tokens; every id is below it. */
  readonly vocabulary: number;
  decode(ids: readonly number[]): string;
}

interface Sources {
  native: NativeTokenizer;
  /** Texts of the special tokens by name. */
  named: Tokens['named'];
  /** `config.json` and `generation_config.json` of the model. */
  model: readonly (JsonFields | null)[];
}

/**
 * Ids to pad with, the preferred one first: the tokenizer's pad token, its end-of-sequence token,
 * the `pad_token_id` of the model. The order is that of scripts on transformers, because padded
 * positions count under the `reference` protocol.
 */
function findPadIds(folder: string, { native, named, model }: Sources): [number, ...number[]] {
  const [first, ...others] = [
    ...['pad_token', 'eos_token'].map((name) => native.tokenToId(named.get(name) ?? '')),
    ...['pad_token_id', 'eos_token_id'].map((name) => modelIds(model, name)[0] ?? null),
  ].filter((id) => id !== null);
  if (first !== undefined) return [first, ...others];
  throw new SaeEvalError(
    'tokenizer-invalid',
    `${folder}: expected a pad or end-of-sequence token in tokenizer_config.json, ` +
      'special_tokens_map.json or config.json, found neither.',
  );
}

/** Id of the token that begins a text; null if neither tokenizer nor model has one. */
function findBosId({ native, named, model }: Sources): number | null {
  return (
    native.tokenToId(named.get('bos_token') ?? '') ?? modelIds(model, 'bos_token_id')[0] ?? null
  );
}

function findSpecialIds({ native, model }: Sources, texts: Iterable<string>): Set<number> {
  const ids = [...texts].map((text) => native.tokenToId(text)).filter((id) => id !== null);
  return new Set([...ids, ...modelIdFields.flatMap((name) => modelIds(model, name))]);
}

function idsOf(native: NativeTokenizer, named: Tokens['named']): Map<string, number> {
  return new Map(
    [...named].flatMap(([name, text]) => {
      const id = native.tokenToId(text);
      return id === null ? [] : [[name, id] as const];
    }),
  );
}

interface TokenizerIds extends Pick<Tokenizer, 'bosId' | 'specialIds' | 'named' | 'namedIds'> {
  padIds: readonly [number, ...number[]];
  /** Special tokens that the post-processor adds at the beginning and at the end. */
  around: { prefix: readonly number[]; suffix: readonly number[] };
}

class FileTokenizer implements Tokenizer {
  readonly padId: number;
  readonly padIds: readonly number[];
  readonly bosId: number | null;
  readonly addsBos: boolean;
  readonly specialIds: ReadonlySet<number>;
  readonly named: ReadonlyMap<string, string>;
  readonly namedIds: ReadonlyMap<string, number>;
  readonly #suffix: readonly number[];

  constructor(
    private readonly native: NativeTokenizer,
    private readonly file: string,
    { padIds, bosId, specialIds, named, namedIds, around }: TokenizerIds,
  ) {
    this.padId = padIds[0];
    this.padIds = padIds;
    this.bosId = bosId;
    this.addsBos = bosId !== null && around.prefix[0] === bosId;
    this.specialIds = specialIds;
    this.named = named;
    this.namedIds = namedIds;
    this.#suffix = around.suffix;
  }

  get vocabulary(): number {
    return this.native.getVocabSize(true);
  }

  async encodeBatch(
    texts: readonly string[],
    { specials = 'own' }: EncodeOptions = {},
  ): Promise<number[][]> {
    const encodings = await this.#encode(texts, { addSpecialTokens: specials === 'own' });
    return encodings.map((encoding) => encoding.getIds());
  }

  async encodePlaced(texts: readonly string[]): Promise<PlacedTokens[]> {
    const encodings = await this.#encode(texts, { addSpecialTokens: false });
    return encodings.map((one) => ({ ids: one.getIds(), offsets: one.getOffsets() }));
  }

  async #encode(
    texts: readonly string[],
    options: { addSpecialTokens: boolean },
  ): Promise<JsEncoding[]> {
    if (texts.length === 0) return [];
    try {
      return await this.native.encodeBatch([...texts], options);
    } catch (thrown) {
      throw new SaeEvalError(
        'tokenizer-invalid',
        `${this.file}: the tokenizer cannot encode the text: ` +
          `${thrown instanceof Error ? thrown.message : String(thrown)}.`,
        { cause: thrown },
      );
    }
  }

  truncate(ids: readonly number[], length: number): readonly number[] {
    if (ids.length <= length) return ids;
    const suffix = this.#suffix.slice(0, length);
    return [...ids.slice(0, length - suffix.length), ...suffix];
  }

  decode(ids: readonly number[]): string {
    const tokens = ids.map((id) => this.native.idToToken(id)).filter((token) => token !== null);
    return this.native.getDecoder()?.decode(tokens) ?? tokens.join(' ');
  }
}

/** Ids that the post-processor adds before and after a text. */
async function idsAround(native: NativeTokenizer, file: string): Promise<TokenizerIds['around']> {
  const probe = 'a';
  try {
    const bare = (await native.encode(probe, null, { addSpecialTokens: false })).getLength();
    const whole = await native.encode(probe);
    const before = whole.getSpecialTokensMask().indexOf(0);
    const ids = whole.getIds();
    return before === -1
      ? { prefix: [], suffix: [] }
      : { prefix: ids.slice(0, before), suffix: ids.slice(before + bare) };
  } catch (thrown) {
    throw new SaeEvalError(
      'tokenizer-invalid',
      `${file}: the tokenizer cannot encode a text: ` +
        `${thrown instanceof Error ? thrown.message : String(thrown)}.`,
      { cause: thrown },
    );
  }
}

/**
 * Loads the tokenizer of a model folder, or of a model in the local Hugging Face cache.
 * @throws SaeEvalError `tokenizer-invalid`, `file-not-found`, `file-unreadable`.
 */
export async function loadTokenizer(modelPath: string): Promise<Tokenizer> {
  const folder = locateModel(modelPath);
  const file = join(folder, 'tokenizer.json');
  const text = readTextFile(file, { ...unreadable, limit: 256 * 2 ** 20 });
  if (text === null) {
    throw new SaeEvalError(
      'tokenizer-invalid',
      `${file}: there is no such file; in Python, ` +
        'AutoTokenizer.from_pretrained(…).save_pretrained(folder) writes it.',
    );
  }
  const read = (name: string): JsonFields | null => JsonFields.read(join(folder, name), unreadable);
  const files: TokenizerFiles = {
    tokenizer: checkTokenizerFile(text, file),
    config: read('tokenizer_config.json'),
    specialsMap: read('special_tokens_map.json'),
    added: read('added_tokens.json'),
  };
  const model = [read('config.json'), read('generation_config.json')] as const;
  const { native, tokens } = buildTokenizer(files, { text, model: model[0] });
  const sources: Sources = { native, named: tokens.named, model };
  const settings = [files.config, files.specialsMap];
  const specials = [
    ...specialTexts({ tokenizer: files.tokenizer, settings }),
    ...tokens.named.values(),
    ...tokens.added.filter(({ special }) => special).map(({ content }) => content),
  ];
  return new FileTokenizer(native, file, {
    padIds: findPadIds(folder, sources),
    bosId: findBosId(sources),
    specialIds: findSpecialIds(sources, specials),
    named: tokens.named,
    namedIds: idsOf(native, tokens.named),
    around: await idsAround(native, file),
  });
}
