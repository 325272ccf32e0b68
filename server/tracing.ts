/**
 * OpenTelemetry spans of requests and evaluations. They cost nothing unless an SDK is loaded
 * (docs/reference/operations.md). The trace of a request continues in the evaluation that it
 * submits, and from there in the compute process. Names and attributes follow the semantic
 * conventions for HTTP.
 */
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
} from '@opentelemetry/api';
import type { FastifyInstance } from 'fastify';
import type { EvaluationStatus } from '../src/schema/record.js';
import { packageVersion } from '../src/version.js';
import type { Job } from './jobs/stored-jobs.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The context of the request's span. */
    traceContext: Context;
  }
}

/** Headers that carry a trace to another process (`traceparent`, …); empty without an SDK. */
export type TraceCarrier = Record<string, string>;

const tracer = () => trace.getTracer('sae-eval', packageVersion);

export function carrierOf(traceContext: Context): TraceCarrier {
  const carrier: TraceCarrier = {};
  propagation.inject(traceContext, carrier);
  return carrier;
}

/** Registers a span for every request, a child of the span in the caller's headers if any. */
export function registerTracing(app: FastifyInstance): void {
  app.decorateRequest<Context | null>('traceContext', null);
  app.addHook('onRequest', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const attributes = {
      'http.request.method': request.method,
      'http.route': route,
      'url.path': request.url.split('?')[0]!,
      'sae_eval.request.id': request.id,
    };
    const parent = propagation.extract(context.active(), request.headers);
    const span = tracer().startSpan(
      `${request.method} ${route}`,
      { kind: SpanKind.SERVER, attributes },
      parent,
    );
    request.traceContext = trace.setSpan(parent, span);
    reply.raw.once('close', () => {
      span.setAttribute('http.response.status_code', reply.raw.statusCode);
      if (reply.raw.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    });
    done();
  });
}

/** Span of an evaluation, from its start to its end in this server. */
export interface JobSpan {
  /** Headers for the compute process. */
  carrier: TraceCarrier;
  /** Records that a compute process starts on the evaluation, for the first time or again. */
  attempt(): void;
  end(status: EvaluationStatus | 'requeued', message?: string): void;
}

export function startJobSpan(
  { id, client, request, trace: submitted }: Job,
  device: string,
): JobSpan {
  const parent = propagation.extract(ROOT_CONTEXT, submitted);
  const attributes = {
    'sae_eval.evaluation.id': id,
    'sae_eval.device': device,
    'sae_eval.client': client,
    'sae_eval.model': request.model,
    'sae_eval.saes': request.saes.length,
  };
  const span: Span = tracer().startSpan(
    'evaluation',
    { kind: SpanKind.CONSUMER, attributes },
    parent,
  );
  return {
    carrier: carrierOf(trace.setSpan(parent, span)),
    attempt: () => void span.addEvent('attempt'),
    end: (status, message) => {
      span.setAttribute('sae_eval.status', status);
      if (status === 'failed')
        span.setStatus({
          code: SpanStatusCode.ERROR,
          ...(message === undefined ? {} : { message }),
        });
      span.end();
    },
  };
}
