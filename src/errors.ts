/**
 * The table of coded errors. Every error that a user can see has a row here;
 * `docs/reference/errors.md` mirrors it.
 *
 * A message names the field or file, what was expected, what was found and what to do. `status` is
 * the HTTP status of the server, `exitCode` the exit code of the command line (1: the evaluation
 * failed, 2: the request is wrong, 75: the same may succeed elsewhere or later).
 */
export const errorTable = {
  'request-invalid': {
    status: 422,
    exitCode: 2,
    title: 'A field of the request is missing, unknown or wrong',
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
    title: 'The server does not read the media type or encoding of the body',
  },
  'not-acceptable': {
    status: 406,
    exitCode: 2,
    title: 'The answer is not available in an accepted media type',
  },
  'file-not-found': { status: 422, exitCode: 2, title: 'A file or folder does not exist' },
  'file-unreadable': { status: 422, exitCode: 2, title: 'A file exists but cannot be read' },
  'path-outside-roots': {
    status: 422,
    exitCode: 2,
    title: "A path leads outside the server's root folders",
  },
  'checkpoint-format': {
    status: 422,
    exitCode: 2,
    title: 'A file is not a checkpoint of a known format, or is damaged',
  },
  'checkpoint-forbidden': {
    status: 422,
    exitCode: 2,
    title: 'The weights of a file could only be had by running its code; no code was run',
  },
  'checkpoint-module': {
    status: 422,
    exitCode: 2,
    title: 'A file holds a pickled module instead of its state_dict',
  },
  'checkpoint-keys': {
    status: 422,
    exitCode: 2,
    title: 'A checkpoint lacks a tensor or has an unexpected one',
  },
  'checkpoint-shape': {
    status: 422,
    exitCode: 2,
    title: 'A tensor of a checkpoint has the wrong shape or dtype',
  },
  'sae-kind': {
    status: 422,
    exitCode: 2,
    title: 'The SAE kind is ambiguous or does not match the file',
  },
  'sae-option': {
    status: 422,
    exitCode: 2,
    title: 'An option of an SAE (layer, k, prefix, …) is missing or does not fit',
  },
  'conversion-refused': {
    status: 422,
    exitCode: 2,
    title: 'The target format cannot express the SAE',
  },
  'sae-width': { status: 422, exitCode: 2, title: 'An SAE does not fit the language model' },
  'model-unsupported': {
    status: 422,
    exitCode: 2,
    title: 'The architecture or a setting of the language model is not supported',
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
    title: 'The text files have no usable sample or cannot be read',
  },
  'device-unavailable': {
    status: 422,
    exitCode: 2,
    title: 'This machine does not have the device',
  },
  'device-memory': { status: 507, exitCode: 1, title: 'The device does not have enough memory' },
  'device-lost': {
    status: 500,
    exitCode: 1,
    title: 'The device failed and cannot be used by this process any more',
  },
  'torch-argument': {
    status: 500,
    exitCode: 1,
    title: 'The arguments of an operator do not fit its schema',
  },
  'torch-operator': { status: 500, exitCode: 1, title: 'libtorch reported an error' },
  'torch-refused': {
    status: 500,
    exitCode: 1,
    title: 'A call that would make libtorch end the process was refused',
  },
  'tensor-disposed': { status: 500, exitCode: 1, title: 'A tensor was used after it was disposed' },
  'non-finite': { status: 500, exitCode: 1, title: 'A result is NaN or infinite' },
  'input-changed': {
    status: 409,
    exitCode: 1,
    title: 'A file changed while an evaluation read it',
  },
  cancelled: { status: 409, exitCode: 1, title: 'The evaluation was cancelled' },
  'timed-out': { status: 504, exitCode: 1, title: 'The evaluation took longer than allowed' },
  'process-died': { status: 500, exitCode: 1, title: 'The compute process ended unexpectedly' },
  'machine-differs': {
    status: 409,
    exitCode: 75,
    title: 'Another kind of machine began the run; its sums would not be of the same bits',
  },
  preempted: { status: 503, exitCode: 75, title: 'The process was asked to end before its work' },
  'shard-differs': {
    status: 500,
    exitCode: 1,
    title: 'Two computations of one shard do not have the same bits',
  },
  'setup-missing': {
    status: 500,
    exitCode: 1,
    title: 'Something native was not built, or what it requires is missing',
  },
  'platform-unsupported': { status: 500, exitCode: 1, title: 'This platform is not supported' },
  'not-found': { status: 404, exitCode: 2, title: 'There is nothing at this address' },
  'method-not-allowed': {
    status: 405,
    exitCode: 2,
    title: 'This address does not take the method',
  },
  'not-comparable': {
    status: 422,
    exitCode: 2,
    title: 'Two runs cannot be compared in pairs: their text, positions, model or protocol differ',
  },
  'not-finished': { status: 409, exitCode: 75, title: 'The evaluation has not ended yet' },
  'already-ended': { status: 409, exitCode: 1, title: 'The evaluation has ended already' },
  'idempotency-mismatch': {
    status: 422,
    exitCode: 2,
    title: 'The Idempotency-Key was used with another body',
  },
  unauthorized: { status: 401, exitCode: 2, title: 'An API key is required' },
  'origin-refused': {
    status: 403,
    exitCode: 2,
    title: 'The Host or Origin header is foreign and no API key is set',
  },
  forbidden: { status: 403, exitCode: 2, title: 'The API key may not do this' },
  'rate-limited': { status: 429, exitCode: 1, title: 'Too many requests' },
  'queue-full': { status: 429, exitCode: 1, title: 'Too many evaluations are waiting' },
  unavailable: { status: 503, exitCode: 1, title: 'The server is not ready or is stopping' },
  'storage-full': { status: 503, exitCode: 75, title: 'The disk is full' },
  'storage-damaged': {
    status: 500,
    exitCode: 1,
    title: 'A stored evaluation, or the whole store, is damaged',
  },
  'configuration-invalid': {
    status: 500,
    exitCode: 2,
    title: 'A setting of the server or its file of API keys is invalid',
  },
  internal: { status: 500, exitCode: 1, title: 'A fault in sae-eval itself' },
} as const satisfies Record<string, { status: number; exitCode: 1 | 2 | 75; title: string }>;

export type ErrorCode = keyof typeof errorTable;

export interface FieldError {
  /** Path of the field in the request, such as `saes[2].layer`. */
  path: string;
  message: string;
}

/** An error with a code from {@link errorTable}; users see no other errors. */
export class SaeEvalError extends Error {
  readonly code: ErrorCode;
  /** Fields of the request at fault, if any. */
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

  /** The error as JSON, for results and other processes. */
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

/** What the file system refuses, in words. */
const ofFiles = {
  ENOENT: { code: 'file-not-found', says: 'there is no such file or folder' },
  EACCES: { code: 'file-unreadable', says: 'this user has no permission to use it (EACCES)' },
  EPERM: { code: 'file-unreadable', says: 'this user has no permission to use it (EPERM)' },
  EISDIR: { code: 'file-unreadable', says: 'expected a file, found a folder' },
} as const satisfies Record<string, { code: ErrorCode; says: string }>;

/** Refusals of the system for lack of something that other work holds: they pass. */
const passing: readonly (string | undefined)[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'];

/** EDQUOT of Linux, for which Node has no code. */
const quotaErrno = -122;

/**
 * Turns a thrown value into a coded error: coded errors stay, file system errors get their code,
 * all others become `internal`. `what` names the file or operation in the message.
 */
export function asSaeEvalError(thrown: unknown, what = 'The operation'): SaeEvalError {
  if (thrown instanceof SaeEvalError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const systemCode = (thrown as NodeJS.ErrnoException | null)?.code;
  if (systemCode !== undefined && systemCode in ofFiles) {
    const { code, says } = ofFiles[systemCode as keyof typeof ofFiles];
    const { path } = thrown as NodeJS.ErrnoException;
    const named = path === undefined || what.includes(path) ? what : `${what}: ${path}`;
    return new SaeEvalError(code, `${named}: ${says}`, { cause: thrown });
  }
  if (
    systemCode === 'ENOSPC' ||
    systemCode === 'SQLITE_FULL' ||
    (thrown as NodeJS.ErrnoException | null)?.errno === quotaErrno
  ) {
    return new SaeEvalError('storage-full', `${what}: the disk is full (${message}).`, {
      cause: thrown,
    });
  }
  if (passing.includes(systemCode))
    return new SaeEvalError(
      'unavailable',
      `${what}: the system has too few descriptors, processes or memory left (${systemCode}); ` +
        'try again in a moment.',
      { cause: thrown },
    );
  // The code of a DOMException is a number.
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(String(systemCode)))
    return new SaeEvalError(
      'storage-damaged',
      `${what}: the database is damaged (${message}). Restore it from a back-up, or save what ` +
        'can be read with `sqlite3 FILE .recover | sqlite3 NEW` and start with --db NEW.',
      { cause: thrown },
    );
  return new SaeEvalError('internal', `${what} failed: ${message}`, { cause: thrown });
}
