/** Options of the client's calls. */
import type { LatentSort } from '../schema/latent-sorts.js';
import type { ListSort, SortOrder } from '../schema/list.js';
import type {
  EvaluationEvent,
  EvaluationStatus,
  ReportFormat,
  ReportLanguage,
} from '../schema/record.js';
import type { EvaluationRequest } from '../schema/request.js';

export interface CallOptions {
  /** Aborts the call, which throws the signal's reason. The evaluation is not cancelled. */
  signal?: AbortSignal;
}

export interface EvaluateOptions extends CallOptions {
  /**
   * `true` waits for the end, however long it takes, even for a device that the server lost (the
   * record's `waitingFor`); a number waits up to so many seconds; `signal` ends the wait. Default:
   * returns when the evaluation is accepted.
   */
  wait?: boolean | number;
  /**
   * Key of the submission: the same key and request give the same evaluation. Default: a new key,
   * so that a retry after a lost answer does not start a second evaluation.
   */
  idempotencyKey?: string;
  /** Called with each event while waiting. */
  onEvent?: (event: EvaluationEvent) => void;
}

export interface LatentsOptions extends CallOptions {
  /** Label of the SAE; default: the first. */
  sae?: string;
  /** Column to sort by; default: by number. */
  sort?: LatentSort;
  order?: SortOrder;
  /** Number of rows, up to 500; default 50. */
  limit?: number;
  /** Rows that are left out before. */
  offset?: number;
  /** The one latent that is wanted. */
  latent?: number;
}

/** Changes of a request (JSON Merge Patch, RFC 7396). */
export type RequestPatch = MergePatch<EvaluationRequest>;
type MergePatch<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: MergePatch<T[K]> | null }
    : T;

export interface CancelOptions extends CallOptions {
  /**
   * `partial`: a running evaluation keeps what it did and ends as `cancelled` with `stopped` and a
   * result over the samples done; without a sample done it has no result.
   */
  keep?: 'partial';
}

export interface ListOptions extends CallOptions {
  status?: EvaluationStatus | readonly EvaluationStatus[];
  /** Lists only evaluations of an SAE with this label. */
  label?: string;
  /** Lists only evaluations of this name. */
  name?: string;
  /** Lists only evaluations with this tag, or with all of these tags. */
  tag?: string | readonly string[];
  /**
   * Lists only evaluations with this text, in any case, in their name, notes, tags, metadata,
   * labels, kinds or paths.
   */
  q?: string;
  /**
   * Value that the list is sorted by; of a metric, that of the best SAE. Evaluations without one
   * come last. Default `createdAt`.
   */
  sort?: ListSort;
  /** Default: newest, longest and best first; texts by the alphabet. */
  order?: SortOrder;
  /** Most items of the page, up to 100; default 20. */
  limit?: number;
  /** `nextCursor` of the previous page. */
  cursor?: string;
}

export interface ReportOptions extends CallOptions {
  /** Format of the report; default md. */
  format?: ReportFormat;
  /** Language of the report; default en. */
  lang?: ReportLanguage;
}

export interface WatchOptions extends CallOptions {
  /** Id of the last event received; watching continues after it. */
  lastEventId?: string;
  /** Failures in a row after which the error is thrown; default 20, about three minutes. */
  attempts?: number;
  /** Seconds without events or heartbeats after which a connection is reopened; default 60. */
  silence?: number;
  /** Called with each failure, before the connection is reopened. */
  onFailure?: (error: unknown) => void;
}
