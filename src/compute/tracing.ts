/** OpenTelemetry spans of the compute process: loading, and each batch. */
import { propagation, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { packageVersion } from '../version.js';
import type { ComputeSpan } from './compute-span.js';

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
