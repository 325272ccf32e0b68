/** Errors of the client, one class for each kind of failure. */
import type { ErrorCode, FieldError } from '../errors.js';
import type { EvaluationSummary, Problem } from '../schema/record.js';

/** Base class of the client's errors. */
export class SaeEvalClientError extends Error {
  override readonly name: string = 'SaeEvalClientError';
}

/** The server could not be reached, or the answer broke off. */
export class ConnectionError extends SaeEvalClientError {
  override readonly name = 'ConnectionError';
}

/** The server answered with a problem (RFC 9457). */
export class ProblemError extends SaeEvalClientError {
  override readonly name: string = 'ProblemError';
  readonly status: number;
  /** Code in the error table (docs/reference/errors.md). */
  readonly code: ErrorCode;
  /** Fields of the request at fault. */
  readonly fields: readonly FieldError[];
  /** Seconds to wait before another try, if the server says so. */
  readonly retryAfter: number | null;

  constructor(
    readonly problem: Problem,
    { retryAfter = null }: { retryAfter?: number | null } = {},
  ) {
    super(problem.detail || problem.title);
    this.status = problem.status;
    this.code = problem.code as ErrorCode;
    this.fields = problem.errors ?? [];
    this.retryAfter = retryAfter;
  }
}

/** 400, 413, 415, 422: the request is invalid; `fields` lists the fields at fault. */
export class InvalidRequestError extends ProblemError {
  override readonly name = 'InvalidRequestError';
}
/** 401, 403: an API key is missing or unknown, or the origin is refused. */
export class UnauthorizedError extends ProblemError {
  override readonly name = 'UnauthorizedError';
}
/** 404: there is nothing at this address. */
export class NotFoundError extends ProblemError {
  override readonly name = 'NotFoundError';
}
/** 409: the state does not allow the call, such as the report of a running evaluation. */
export class ConflictError extends ProblemError {
  override readonly name = 'ConflictError';
}
/** 429, 503: the server is busy or stopping; `retryAfter` says how long to wait. */
export class BusyError extends ProblemError {
  override readonly name = 'BusyError';
}

/** The evaluation ended without a result: it failed or was cancelled. */
export class EvaluationFailedError extends SaeEvalClientError {
  override readonly name = 'EvaluationFailedError';
  readonly code: ErrorCode;

  constructor(readonly evaluation: EvaluationSummary) {
    super(evaluation.error?.message ?? `Evaluation ${evaluation.id} was ${evaluation.status}.`);
    this.code = (evaluation.error?.code ?? 'internal') as ErrorCode;
  }
}

const classes: Readonly<Record<number, typeof ProblemError>> = {
  400: InvalidRequestError,
  413: InvalidRequestError,
  415: InvalidRequestError,
  422: InvalidRequestError,
  401: UnauthorizedError,
  403: UnauthorizedError,
  404: NotFoundError,
  409: ConflictError,
  429: BusyError,
  503: BusyError,
};

/** Error of an answer whose status is not a success. */
export async function errorOf(response: Response): Promise<ProblemError> {
  const text = await response.text().catch(() => '');
  let problem: Problem;
  try {
    const body = JSON.parse(text) as Partial<Problem>;
    problem = {
      type: 'about:blank',
      title: response.statusText,
      detail: '',
      code: 'internal',
      ...body,
      status: response.status,
    };
  } catch {
    problem = {
      type: 'about:blank',
      title: response.statusText,
      status: response.status,
      detail: text.slice(0, 300) || `The server answered ${response.status}.`,
      code: 'internal',
    };
  }
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new (classes[response.status] ?? ProblemError)(problem, {
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : null,
  });
}
