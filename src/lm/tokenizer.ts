/**
 * A model's tokenizer from `tokenizer.json`, by the library that made it: ids as transformers gives
 * them. The file's own post-processor decides on special tokens; transformers 5 ignores
 * `add_bos_token` beside it too.
 */
import { join } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { SaeEvalError } from '../errors.js';
import { locateModel } from './locate-model.js';
import type { JsonFields } from './json-fields.js';
import { readJsonFile, readTextFile } from './json-file.js';
import { checkTokenizerFile } from './tokenizer-file.js';

const unreadable = { code: 'tokenizer-invalid' } as const;

export interface Tokenizer {
  /** Ids with the special tokens of the tokenizer's own post-processor. */
  encodeBatch(texts: readonly string[]): Promise<number[][]>;
  /** At most `length` of these ids, as transformers truncates: special tokens at the end stay. */
  truncate(ids: readonly number[], length: number): readonly number[];
  /** The pad token, or the end-of-sequence token where none is defined. */
  readonly padId: number;
  /** Ids are below it. */
  readonly vocabulary: number;
  decode(ids: readonly number[]): string;
}

/** A special token's text, written as a string or as an object with `content`. */
function tokenText(fields: JsonFields | null, name: string): string | null {
  const value = fields?.value(name) ?? null;
  if (typeof value === 'string') return value;
  return value === null ? null : (fields?.section(name)?.string('content', null) ?? null);
}

interface Settings {
  /** `tokenizer.json`. */
  tokenizer: JsonFields;
  /** `tokenizer_config.json` and `special_tokens_map.json`, where they are. */
  config: JsonFields | null;
  specials: JsonFields | null;
}

/**
 * The text of the pad token by the tokenizer's own files. One saved while it padded may name it in
 * `tokenizer.json` alone.
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
 * The id of the tokenizer's pad token, else of its end of sequence. The model's `pad_token_id`
 * comes after both: scripts pad with what the tokenizer has, and padded positions count under
 * `reference`.
 */
async function findPadId(
  folder: string,
  native: NativeTokenizer,
  settings: Settings,
): Promise<number> {
  for (const text of [...padTokens(settings), ...eosTokens(settings)]) {
    const id = text === null ? null : native.tokenToId(text);
    if (id !== null) return id;
  }
  const files = [
    await readJsonFile(join(folder, 'config.json'), unreadable),
    await readJsonFile(join(folder, 'generation_config.json'), unreadable),
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
    /** Special tokens the post-processor adds at the end. */
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

/** What the post-processor puts after a text. */
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
 * @throws SaeEvalError `tokenizer-invalid`, `file-unreadable`.
 */
export async function loadTokenizer(modelPath: string): Promise<Tokenizer> {
  const folder = await locateModel(modelPath);
  const file = join(folder, 'tokenizer.json');
  const text = await readTextFile(file, { ...unreadable, limit: 256 * 2 ** 20 });
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
  // Files may carry the settings of whoever saved them; the evaluation sets its own lengths.
  native.disableTruncation();
  native.disablePadding();
  const settings = {
    tokenizer,
    config: await readJsonFile(join(folder, 'tokenizer_config.json'), unreadable),
    specials: await readJsonFile(join(folder, 'special_tokens_map.json'), unreadable),
  };
  return new FileTokenizer(
    native,
    file,
    await findPadId(folder, native, settings),
    await suffixOf(native, file),
  );
}
