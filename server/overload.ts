/**
 * Refuses calls while the event loop is late. `@fastify/under-pressure` does the same, but it reads
 * the process's memory from a file in a timer, and ends the server if no descriptor is left.
 */
import type { FastifyInstance } from 'fastify';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SaeEvalError } from '../src/errors.js';

export interface OverloadOptions {
  /** Mean delay of the event loop, in milliseconds, above which calls are refused. */
  mostDelayMs: number;
  sampleMs: number;
}

export function registerOverload(
  app: FastifyInstance,
  { mostDelayMs, sampleMs }: OverloadOptions,
): void {
  const resolution = 10;
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  let delay = 0;
  const timer = setInterval(() => {
    // NaN without a sample.
    delay = Math.max(0, histogram.mean / 1e6 - resolution) || 0;
    histogram.reset();
  }, sampleMs);
  timer.unref();
  app.addHook('onRequest', async () => {
    if (delay > mostDelayMs)
      throw new SaeEvalError('unavailable', 'The server is overloaded; try again in a moment.');
  });
  app.addHook('onClose', async () => {
    clearInterval(timer);
    histogram.disable();
  });
}
