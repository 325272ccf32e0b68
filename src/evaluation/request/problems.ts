/** Collects what is wrong with a request, field by field, so that all of it is told at once. */
import { asSaeEvalError, SaeEvalError, type ErrorCode, type FieldError } from '../../errors.js';

export class Problems {
  readonly #fields: FieldError[] = [];
  #first: { code: ErrorCode; message: string } | null = null;

  add(code: ErrorCode, path: string, message: string): void {
    this.#first ??= { code, message: `${path}: ${message}` };
    this.#fields.push({ path, message });
  }

  /**
   * The result of `body`; null, with its error added, if it throws. An error is about the field at
   * `path`, or about a field of its own, found by `fieldAt`.
   */
  async at<T>(
    path: string,
    body: () => Promise<T> | T,
    fieldAt?: (field: string) => string,
  ): Promise<T | null> {
    try {
      return await body();
    } catch (thrown) {
      const { code, message, fields } = asSaeEvalError(thrown, path);
      const field = fields[0]?.path;
      this.add(code, field === undefined || fieldAt === undefined ? path : fieldAt(field), message);
      return null;
    }
  }

  /** @throws SaeEvalError with every field at fault; its code is the first one's. */
  throwIfAny(): void {
    if (this.#first === null) return;
    const { code, message } = this.#first;
    throw new SaeEvalError(code, message, { fields: this.#fields });
  }
}
