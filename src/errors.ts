/**
 * The one table of coded errors. Every error a user can meet has a row here; `docs/errors.md`
 * mirrors it.
 *
 * A message says which field or file, what was expected, what was found and what to do. `status` is
 * the HTTP status a server answers with, `exitCode` what the command line ends with (1: the
 * evaluation failed, 2: the request is wrong).
 */
export const errorTable = {
  'request-invalid': {
    status: 422,
    exitCode: 2,
    title: 'The request has a missing, unknown or wrong field',
  },
  'body-malformed': { status: 400, exitCode: 2, title: 'The body is not valid JSON' },
  'body-too-large': {
    status: 413,
    exitCode: 2,
    title: 'The body is larger than the server accepts',
  },
  'media-type-unsupported': {
    status: 415,
    exitCode: 2,
    title: 'The body has a media type the server does not read',
  },
  'not-acceptable': {
    status: 406,
    exitCode: 2,
    title: 'None of the accepted media types can be produced',
  },
  'file-not-found': { status: 422, exitCode: 2, title: 'A file or folder does not exist' },
  'file-unreadable': { status: 422, exitCode: 2, title: 'A file exists but cannot be read' },
  'path-outside-roots': {
    status: 422,
    exitCode: 2,
    title: 'A path leads outside the folders the server may read',
  },
  'checkpoint-format': {
    status: 422,
    exitCode: 2,
    title: 'A file is not a checkpoint of a known format, or is damaged',
  },
  'checkpoint-forbidden': {
    status: 422,
    exitCode: 2,
    title: 'A pickle names code that is not on the allow-list; nothing was run',
  },
  'checkpoint-module': {
    status: 422,
    exitCode: 2,
    title: 'A file holds a pickled module instead of its state_dict',
  },
  'checkpoint-keys': {
    status: 422,
    exitCode: 2,
    title: 'A checkpoint lacks a tensor or has one that does not belong',
  },
  'checkpoint-shape': {
    status: 422,
    exitCode: 2,
    title: 'A tensor of a checkpoint has the wrong shape or dtype',
  },
  'sae-kind': {
    status: 422,
    exitCode: 2,
    title: 'The kind of an SAE cannot be told from its file, or contradicts it',
  },
  'sae-option': {
    status: 422,
    exitCode: 2,
    title: 'An option of an SAE (layer, k, aggregation, routing) is missing or out of range',
  },
  'conversion-refused': {
    status: 422,
    exitCode: 2,
    title: 'A format cannot hold what an SAE computes',
  },
  'sae-width': { status: 422, exitCode: 2, title: 'An SAE does not fit the language model' },
  'model-unsupported': {
    status: 422,
    exitCode: 2,
    title: 'A language model of this architecture or setting is not supported',
  },
  'model-invalid': {
    status: 422,
    exitCode: 2,
    title: 'The files of a language model are incomplete or contradict each other',
  },
  'tokenizer-invalid': {
    status: 422,
    exitCode: 2,
    title: 'The tokenizer of a language model cannot be loaded',
  },
  'dataset-invalid': {
    status: 422,
    exitCode: 2,
    title: 'The text files hold no usable sample, or cannot be read',
  },
  'device-unavailable': { status: 422, exitCode: 2, title: 'The device is not on this machine' },
  'device-memory': { status: 507, exitCode: 1, title: 'The device has not enough memory' },
  'device-lost': {
    status: 500,
    exitCode: 1,
    title: 'The device failed; the process can no longer use it',
  },
  'torch-argument': {
    status: 500,
    exitCode: 1,
    title: 'An operator was called with arguments that do not fit its schema',
  },
  'torch-operator': { status: 500, exitCode: 1, title: 'libtorch reported an error' },
  'torch-refused': {
    status: 500,
    exitCode: 1,
    title: 'A call of an operator on which libtorch would end the process was refused',
  },
  'tensor-disposed': { status: 500, exitCode: 1, title: 'A tensor was used after it was disposed' },
  'non-finite': { status: 500, exitCode: 1, title: 'A result is NaN or infinite' },
  cancelled: { status: 409, exitCode: 1, title: 'The evaluation was cancelled' },
  'timed-out': { status: 504, exitCode: 1, title: 'The evaluation took longer than allowed' },
  'process-died': { status: 500, exitCode: 1, title: 'The compute process ended unexpectedly' },
  'setup-missing': {
    status: 500,
    exitCode: 1,
    title: 'Something needed to build or load the native part is missing',
  },
  'platform-unsupported': { status: 500, exitCode: 1, title: 'This platform has not been checked' },
  'not-found': { status: 404, exitCode: 2, title: 'There is nothing at this address' },
  'method-not-allowed': {
    status: 405,
    exitCode: 2,
    title: 'The address exists, the method does not',
  },
  'not-finished': { status: 409, exitCode: 1, title: 'The evaluation has not ended yet' },
  'already-ended': { status: 409, exitCode: 1, title: 'The evaluation has ended already' },
  'idempotency-mismatch': {
    status: 422,
    exitCode: 2,
    title: 'The Idempotency-Key was used before with another body',
  },
  unauthorized: { status: 401, exitCode: 2, title: 'An API key is required' },
  'origin-refused': {
    status: 403,
    exitCode: 2,
    title: 'The Host or Origin header is foreign and no API key is set',
  },
  'rate-limited': { status: 429, exitCode: 1, title: 'Too many requests' },
  'queue-full': { status: 429, exitCode: 1, title: 'Too many evaluations are waiting' },
  unavailable: { status: 503, exitCode: 1, title: 'The server is not ready or is stopping' },
  'storage-full': { status: 503, exitCode: 1, title: 'There is no room left on the disk' },
  'configuration-invalid': {
    status: 500,
    exitCode: 2,
    title: 'A setting of the server or its key file cannot be used',
  },
  internal: { status: 500, exitCode: 1, title: 'An unexpected fault of sae-eval itself' },
} as const satisfies Record<string, { status: number; exitCode: 1 | 2; title: string }>;

export type ErrorCode = keyof typeof errorTable;

export interface FieldError {
  /** Path of the field in the request, such as `saes[2].layer`. */
  path: string;
  message: string;
}

/** An error with a code from {@link errorTable}; the only kind users are shown. */
export class SaeEvalError extends Error {
  readonly code: ErrorCode;
  /** The fields of the request at fault, where there are any. */
  readonly fields: readonly FieldError[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { fields?: readonly FieldError[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'SaeEvalError';
    this.code = code;
    this.fields = options.fields ?? [];
  }

  /** What crosses a process boundary or enters a result. */
  toJSON(): SerializedError {
    return { code: this.code, message: this.message, fields: [...this.fields] };
  }

  static fromJSON(json: SerializedError): SaeEvalError {
    const code = json.code in errorTable ? (json.code as ErrorCode) : 'internal';
    return new SaeEvalError(code, json.message, { fields: json.fields ?? [] });
  }
}

export interface SerializedError {
  code: string;
  message: string;
  fields?: FieldError[];
}

/**
 * Any thrown value as a coded error: coded ones pass, file system errors are named, the rest become
 * `internal`.
 */
export function asSaeEvalError(thrown: unknown, what = 'The operation'): SaeEvalError {
  if (thrown instanceof SaeEvalError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const systemCode = (thrown as NodeJS.ErrnoException | null)?.code;
  if (systemCode === 'ENOENT')
    return new SaeEvalError('file-not-found', `${what}: ${message}`, { cause: thrown });
  if (systemCode === 'EACCES' || systemCode === 'EISDIR' || systemCode === 'EPERM') {
    return new SaeEvalError('file-unreadable', `${what}: ${message}`, { cause: thrown });
  }
  if (systemCode === 'ENOSPC' || systemCode === 'EDQUOT' || systemCode === 'SQLITE_FULL') {
    return new SaeEvalError(
      'storage-full',
      `${what}: there is no room left on the disk (${message}).`,
      { cause: thrown },
    );
  }
  return new SaeEvalError('internal', `${what} failed: ${message}`, { cause: thrown });
}
