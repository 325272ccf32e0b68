/** Fields of a JSON file with checked types. Every error names the file and the field. */
import { readJsonFile, type TextFileOptions } from '../checkpoint/json-file.js';
import { SaeEvalError, type ErrorCode } from '../errors.js';

interface Origin {
  /** Code of the errors. Default `model-invalid`. */
  code?: ErrorCode;
  /** Name of the section, such as `rope_parameters`. Default the whole file. */
  at?: string;
}

export class JsonFields {
  private constructor(
    private readonly object: Readonly<Record<string, unknown>>,
    readonly file: string,
    private readonly code: ErrorCode,
    private readonly at: string,
  ) {}

  /**
   * Fields of a JSON file, which must hold an object; null if there is no such file.
   * @throws SaeEvalError `file-unreadable`, or `code` if the file is too large or no object.
   */
  static read(path: string, options: TextFileOptions): JsonFields | null {
    const json = readJsonFile(path, options);
    return json === undefined ? null : JsonFields.from(json, path, { code: options.code });
  }

  /** @throws SaeEvalError if `json` is not an object. */
  static from(
    json: unknown,
    file: string,
    { code = 'model-invalid', at = '' }: Origin = {},
  ): JsonFields {
    if (json === null || typeof json !== 'object' || Array.isArray(json)) {
      throw new SaeEvalError(
        code,
        `${file}: expected an object${at === '' ? '' : ` for ${at}`}, found ` +
          `${JSON.stringify(json)?.slice(0, 80)}.`,
      );
    }
    return new JsonFields(json as Record<string, unknown>, file, code, at);
  }

  /** The same fields with other values for some of them. */
  with(values: Readonly<Record<string, unknown>>): JsonFields {
    return new JsonFields({ ...this.object, ...values }, this.file, this.code, this.at);
  }

  names(): string[] {
    return Object.keys(this.object);
  }

  /** Value of a field; null if it is missing or null. */
  value(name: string): unknown {
    return Object.hasOwn(this.object, name) ? (this.object[name] ?? null) : null;
  }

  has(name: string): boolean {
    return this.value(name) !== null;
  }

  /**
   * Number in a field, or the fallback if the field is missing or null.
   * @throws SaeEvalError if there is neither, or a value of another type.
   */
  number<Fallback extends number | null = number>(
    name: string,
    fallback?: Fallback,
  ): number | Fallback {
    const value = this.value(name);
    if (value === null && fallback !== undefined) return fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) this.#wrong(name, 'a number', value);
    return value;
  }

  /** Whole number from 1 to `atMost`, as {@link number} reads it. */
  size<Fallback extends number | null = number>(
    name: string,
    fallback?: Fallback,
    { atMost = 2 ** 31 } = {},
  ): number | Fallback {
    const value = this.number(name, fallback);
    if (value !== null && (!Number.isInteger(value) || value < 1 || value > atMost))
      this.#wrong(name, `a whole number from 1 to ${atMost}`, value);
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.value(name);
    if (value === null) return fallback;
    if (typeof value !== 'boolean') this.#wrong(name, 'true or false', value);
    return value;
  }

  string<Fallback extends string | null = string>(
    name: string,
    fallback?: Fallback,
  ): string | Fallback {
    const value = this.value(name);
    if (value === null && fallback !== undefined) return fallback;
    if (typeof value !== 'string') this.#wrong(name, 'a string', value);
    return value;
  }

  /** Name of a file in the same folder. Paths are refused, so that no other file can be named. */
  fileName(name: string, fallback?: string): string {
    const value = this.string(name, fallback);
    if (value === '' || value === '..' || /[/\\\0]/.test(value))
      this.#wrong(name, 'the name of a file beside it', value);
    return value;
  }

  numbers(name: string): number[] | null {
    const value = this.value(name);
    if (value === null) return null;
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'number'))
      this.#wrong(name, 'a list of numbers', value);
    return value;
  }

  strings(name: string): string[] | null {
    const value = this.value(name);
    if (value === null) return null;
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
      this.#wrong(name, 'a list of strings', value);
    return value;
  }

  /** Object in a field, whose errors name the field too; null if there is none. */
  section(name: string): JsonFields | null {
    const value = this.value(name);
    return value === null
      ? null
      : JsonFields.from(value, this.file, { code: this.code, at: this.#path(name) });
  }

  /** Refuses the value of a field as not supported. @throws SaeEvalError `model-unsupported`. */
  unsupported(name: string, expected: string): never {
    throw new SaeEvalError(
      'model-unsupported',
      `${this.file}: ${this.#path(name)}: expected ${expected}, found ` +
        `${JSON.stringify(this.value(name))}.`,
    );
  }

  /** Refuses the value of a field as wrong. @throws SaeEvalError with the file's code. */
  invalid(name: string, expected: string): never {
    this.#wrong(name, expected, this.value(name));
  }

  #path(name: string): string {
    return this.at === '' ? name : `${this.at}.${name}`;
  }

  #wrong(name: string, expected: string, found: unknown): never {
    throw new SaeEvalError(
      this.code,
      `${this.file}: ${this.#path(name)}: expected ${expected}, found ` +
        (found === null ? 'nothing' : (JSON.stringify(found)?.slice(0, 80) ?? 'nothing')) +
        '.',
    );
  }
}
