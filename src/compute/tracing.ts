/**
 * OpenTelemetry spans of the compute process: loading, and each batch. Nothing without an SDK
 * (docs/reference/operations.md).
 */
import { propagation, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { packageVersion } from '../version.js';

export interface ComputeSpan {
  /** The model and the SAEs are there. */
  loaded(): void;
  /** A batch was done; `samples` are those of the run so far. */
  batch(samples: number): void;
  end(error?: string): void;
}

/** The span of a run, a child of the evaluation's in the process that asked for it. */
export function startComputeSpan(carrier: Record<string, string>): ComputeSpan {
  const tracer = trace.getTracer('sae-eval', packageVersion);
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
  const span = tracer.startSpan('compute', {}, parent);
  const inside = trace.setSpan(parent, span);
  let last = Date.now();
  const step = (name: string, attributes: Record<string, number> = {}): void => {
    const startTime = last;
    last = Date.now();
    tracer.startSpan(name, { startTime, attributes }, inside).end(last);
  };
  return {
    loaded: () => step('load'),
    batch: (samples) => step('batch', { 'sae_eval.samples': samples }),
    end: (error) => {
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end();
    },
  };
}
