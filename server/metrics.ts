/** Metrics for Prometheus. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { evaluationStatuses, type EvaluationRecord } from '../src/schema/record.js';
import type { JobQueue } from './jobs/queue.js';
import type { Store } from './jobs/store.js';
import type { SeenWorker } from './shards/worker-list.js';

interface MetricSources {
  store: Store;
  queue: () => JobQueue;
  /** Number of open event streams. */
  watchers: () => number;
  /** Workers of the queue. */
  workers: () => readonly SeenWorker[];
}

export class Metrics {
  readonly registry = new Registry();
  readonly #seconds: Histogram;
  readonly #tokens: Counter;
  readonly #tokensPerSecond: Gauge;
  readonly #requests: Histogram;
  readonly #shards: Counter;

  constructor({ store, queue, watchers, workers }: MetricSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: 'sae_eval_evaluations',
      help: 'Evaluations in the store by status.',
      labelNames: ['status'],
      registers,
      collect() {
        const counts = store.jobs.countByStatus();
        for (const status of evaluationStatuses) this.set({ status }, counts.get(status) ?? 0);
      },
    });
    new Gauge({
      name: 'sae_eval_queue_length',
      help: 'Waiting evaluations by the device or kind of device that they ask for.',
      labelNames: ['device'],
      registers,
      collect() {
        this.reset();
        for (const [device, waiting] of queue().queuedByDevice()) this.set({ device }, waiting);
      },
    });
    new Gauge({
      name: 'sae_eval_store_writable',
      help: 'Whether the store can be written (0 or 1).',
      registers,
      collect() {
        this.set(queue().health.check() === null ? 1 : 0);
      },
    });
    new Gauge({
      name: 'sae_eval_compute_resident_bytes',
      help: 'Resident memory of the compute process by device.',
      labelNames: ['device'],
      registers,
      collect() {
        for (const [device, { compute }] of queue().workers)
          this.set({ device }, compute.usage?.residentBytes ?? 0);
      },
    });
    new Gauge({
      name: 'sae_eval_compute_running',
      help: 'Whether the compute process of a device is running an evaluation (0 or 1).',
      labelNames: ['device'],
      registers,
      collect() {
        for (const [device, { running }] of queue().workers)
          this.set({ device }, running === null ? 0 : 1);
      },
    });
    new Gauge({
      name: 'sae_eval_compute_silence_seconds',
      help: 'Seconds since the last sign of life of the compute process by device.',
      labelNames: ['device'],
      registers,
      collect() {
        this.reset();
        for (const [device, { compute }] of queue().workers)
          if (compute.silence !== null) this.set({ device }, compute.silence);
      },
    });
    new Gauge({
      name: 'sae_eval_device_memory_bytes',
      help: 'Memory of a device by state (total, free).',
      labelNames: ['device', 'state'],
      registers,
      collect() {
        for (const device of queue().workers.keys()) {
          const memory = queue().memoryOn(device);
          if (memory === null) continue;
          this.set({ device, state: 'total' }, memory.totalBytes);
          this.set({ device, state: 'free' }, memory.freeBytes);
        }
      },
    });
    new Gauge({
      name: 'sae_eval_model_cache_bytes',
      help: 'Bytes of models and SAEs that the compute process of a device keeps loaded.',
      labelNames: ['device'],
      registers,
      collect() {
        for (const [device, { compute }] of queue().workers)
          this.set({ device }, compute.usage?.cache.bytes ?? 0);
      },
    });
    new Counter({
      name: 'sae_eval_model_cache_events_total',
      help:
        'Models, tokenizers and SAEs that the compute process of a device found in its cache ' +
        '(hit), loaded (load) or freed (eviction).',
      labelNames: ['device', 'event'],
      registers,
      collect() {
        this.reset();
        for (const [device, { compute }] of queue().workers) {
          const { hits, loads, evictions } = compute.usage?.cache ?? {
            hits: 0,
            loads: 0,
            evictions: 0,
          };
          this.inc({ device, event: 'hit' }, hits);
          this.inc({ device, event: 'load' }, loads);
          this.inc({ device, event: 'eviction' }, evictions);
        }
      },
    });
    new Gauge({
      name: 'sae_eval_samples_per_second',
      help: 'Speed of the running evaluation by device.',
      labelNames: ['device'],
      registers,
      collect() {
        for (const device of queue().workers.keys()) this.set({ device }, queue().speedOn(device));
      },
    });
    new Gauge({
      name: 'sae_eval_watchers',
      help: 'Open event streams.',
      registers,
      collect() {
        this.set(watchers());
      },
    });
    this.#seconds = new Histogram({
      name: 'sae_eval_evaluation_seconds',
      help: 'Compute time of ended evaluations.',
      labelNames: ['status'],
      buckets: [1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600],
      registers,
    });
    this.#tokens = new Counter({
      name: 'sae_eval_tokens_total',
      help: 'Real tokens of ended evaluations.',
      registers,
    });
    this.#tokensPerSecond = new Gauge({
      name: 'sae_eval_tokens_per_second',
      help: 'Speed of the evaluation that ended last, by device.',
      labelNames: ['device'],
      registers,
    });
    this.#shards = new Counter({
      name: 'sae_eval_shards_total',
      help: 'Shards of runs on workers: done, lost with their worker, or failed.',
      labelNames: ['outcome'],
      registers,
    });
    new Gauge({
      name: 'sae_eval_workers',
      help: 'Workers of the queue by host, kind of machine and state.',
      labelNames: ['host', 'kind', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { host, machine, state, isAlive } of workers())
          this.inc({ host, kind: machine, state: isAlive ? state : 'gone' });
      },
    });
    this.#requests = new Histogram({
      name: 'sae_eval_http_request_seconds',
      help: 'Seconds to answer a request by method, route and status.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    });
  }

  ended({ status, result }: EvaluationRecord): void {
    if (result === null) return;
    this.#seconds.observe({ status }, result.timing.seconds);
    this.#tokens.inc(result.data.realTokens);
    const { device } = result.config;
    this.#tokensPerSecond.set({ device }, result.timing.tokensPerSecond);
  }

  shard(outcome: 'done' | 'lost' | 'failed'): void {
    this.#shards.inc({ outcome });
  }

  answered(labels: { method: string; route: string; status: number }, seconds: number): void {
    this.#requests.observe(labels, seconds);
  }
}
