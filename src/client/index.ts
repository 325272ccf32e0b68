/**
 * `sae-eval/client`: client of an sae-eval server, for Node and browsers.
 * @module
 */
export { SaeEvalClient, type SaeEvalClientOptions } from './client.js';
export type {
  CallOptions,
  CancelOptions,
  EvaluateOptions,
  LatentsOptions,
  ListOptions,
  ReportOptions,
  RequestPatch,
  WatchOptions,
} from './call-options.js';
export {
  BusyError,
  ConflictError,
  ConnectionError,
  EvaluationFailedError,
  InvalidRequestError,
  NotFoundError,
  ProblemError,
  SaeEvalClientError,
  UnauthorizedError,
} from './errors.js';
export { resultOf, valueOf, type ValueName } from '../schema/result-of.js';
export { evaluationStatuses, hasEnded } from '../schema/status.js';
export type {
  CheckpointDescription,
  CheckpointEntry,
  DatasetEntry,
  Device,
  Kind,
  MetricEntry,
  ModelEntry,
} from '../schema/catalogue.js';
export type {
  EvaluationEvent,
  EvaluationRecord,
  EvaluationStatus,
  EvaluationSummary,
  Problem,
  Progress,
  ReportFormat,
  ReportLanguage,
} from '../schema/record.js';
export type {
  EvaluationList,
  EvaluationListItem,
  Headline,
  ListSort,
  SortOrder,
} from '../schema/list.js';
export type { LatentSort } from '../schema/latent-sorts.js';
export type { Latent, LatentContext, Latents, LatentsSummary } from '../schema/latents.js';
export type {
  RunComparison,
  RunComparisonRequest,
  RunDifference,
  Verdict,
} from '../schema/run-comparison.js';
export type { Caller, Role } from '../schema/caller.js';
export type { ShardList, Worker } from '../schema/shards.js';
export type { MetricName, ProtocolName, SaeKind } from '../schema/names.js';
export type { EvaluationRequest } from '../schema/request.js';
export type { ResolvedSaeSpec, SaeSpec } from '../schema/request-sae.js';
export type { EvaluationResult, SaeResult } from '../schema/result.js';
