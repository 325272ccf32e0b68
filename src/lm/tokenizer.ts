/**
 * Tokenizer of a model, from its `tokenizer.json`, by the library that wrote the file. Ids are
 * those of transformers 5: the file's post-processor adds the special tokens, and `add_bos_token`
 * in `tokenizer_config.json` is ignored.
 */
import { join } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { SaeEvalError } from '../errors.js';
import { locateModel } from '../hub-cache.js';
import { readTextFile } from '../checkpoint/json-file.js';
import { JsonFields } from './json-fields.js';
import { checkTokenizerFile } from './tokenizer-file.js';

const unreadable = { code: 'tokenizer-invalid' } as const;

export interface Tokenizer {
  /** Ids of each text, with the special tokens of the post-processor. */
  encodeBatch(texts: readonly string[]): Promise<number[][]>;
  /** At most `length` of these ids. As in transformers, special tokens at the end stay. */
  truncate(ids: readonly number[], length: number): readonly number[];
  /** Id of the pad token, or of the end-of-sequence token if there is no pad token. */
  readonly padId: number;
  /** Number of tokens; every id is below it. */
  readonly vocabulary: number;
  decode(ids: readonly number[]): string;
}

/** Text of a special token, which is a string or an object with `content`. */
function tokenText(fields: JsonFields | null, name: string): string | null {
  const value = fields?.value(name) ?? null;
  if (typeof value === 'string') return value;
  return value === null ? null : (fields?.section(name)?.string('content', null) ?? null);
}

interface Settings {
  /** `tokenizer.json`. */
  tokenizer: JsonFields;
  /** `tokenizer_config.json`; null if there is none. */
  config: JsonFields | null;
  /** `special_tokens_map.json`; null if there is none. */
  specials: JsonFields | null;
}

/**
 * Texts of the pad token in the tokenizer's files, the preferred one first. A tokenizer that was
 * saved while it padded may have it in `tokenizer.json` alone.
 */
function* padTokens({ tokenizer, config, specials }: Settings): Generator<string | null> {
  yield tokenText(config, 'pad_token');
  yield tokenText(specials, 'pad_token');
  // As in transformers, a `pad_token` of null says that there is none.
  if (config?.names().includes('pad_token') !== true)
    yield tokenText(tokenizer.section('padding'), 'pad_token');
}

function* eosTokens({ config, specials }: Settings): Generator<string | null> {
  yield tokenText(config, 'eos_token');
  yield tokenText(specials, 'eos_token');
}

/**
 * Id of the tokenizer's pad token, else of its end-of-sequence token, else the `pad_token_id` of
 * the model. The order is that of scripts on transformers, because padded positions count under
 * the `reference` protocol.
 */
function findPadId(folder: string, native: NativeTokenizer, settings: Settings): number {
  for (const text of [...padTokens(settings), ...eosTokens(settings)]) {
    const id = text === null ? null : native.tokenToId(text);
    if (id !== null) return id;
  }
  const files = [
    JsonFields.read(join(folder, 'config.json'), unreadable),
    JsonFields.read(join(folder, 'generation_config.json'), unreadable),
  ];
  for (const name of ['pad_token_id', 'eos_token_id']) {
    for (const fields of files) {
      const value = fields?.value(name) ?? null;
      const id: unknown = Array.isArray(value) ? value[0] : value;
      if (typeof id === 'number' && Number.isInteger(id) && id >= 0) return id;
    }
  }
  throw new SaeEvalError(
    'tokenizer-invalid',
    `${folder}: expected a pad or end-of-sequence token in tokenizer_config.json, ` +
      'special_tokens_map.json or config.json, found neither.',
  );
}

class FileTokenizer implements Tokenizer {
  constructor(
    private readonly native: NativeTokenizer,
    private readonly file: string,
    readonly padId: number,
    /** Special tokens that the post-processor adds at the end. */
    private readonly suffix: readonly number[],
  ) {}

  get vocabulary(): number {
    return this.native.getVocabSize(true);
  }

  async encodeBatch(texts: readonly string[]): Promise<number[][]> {
    if (texts.length === 0) return [];
    try {
      return (await this.native.encodeBatch([...texts])).map((encoding) => encoding.getIds());
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
    const suffix = this.suffix.slice(0, length);
    return [...ids.slice(0, length - suffix.length), ...suffix];
  }

  decode(ids: readonly number[]): string {
    const tokens = ids.map((id) => this.native.idToToken(id)).filter((token) => token !== null);
    return this.native.getDecoder()?.decode(tokens) ?? tokens.join(' ');
  }
}

/** Ids that the post-processor adds after a text. */
async function suffixOf(native: NativeTokenizer, file: string): Promise<number[]> {
  const probe = 'a';
  try {
    const bare = (await native.encode(probe, null, { addSpecialTokens: false })).getLength();
    const whole = await native.encode(probe);
    const before = whole.getSpecialTokensMask().indexOf(0);
    return before === -1 ? [] : whole.getIds().slice(before + bare);
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
  const tokenizer = checkTokenizerFile(text, file);
  let native: NativeTokenizer;
  try {
    native = NativeTokenizer.fromString(text);
  } catch (thrown) {
    throw new SaeEvalError(
      'tokenizer-invalid',
      `${file}: expected a tokenizer as the tokenizers library writes it: ` +
        `${thrown instanceof Error ? thrown.message : String(thrown)}.`,
      { cause: thrown },
    );
  }
  // A file may have the settings of its author's last use. Lengths are set by the evaluation.
  native.disableTruncation();
  native.disablePadding();
  const settings = {
    tokenizer,
    config: JsonFields.read(join(folder, 'tokenizer_config.json'), unreadable),
    specials: JsonFields.read(join(folder, 'special_tokens_map.json'), unreadable),
  };
  return new FileTokenizer(
    native,
    file,
    findPadId(folder, native, settings),
    await suffixOf(native, file),
  );
}
