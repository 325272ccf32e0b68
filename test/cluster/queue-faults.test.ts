/**
 * A server, two workers and a queue, each on a host of its own, and what goes wrong in a cluster:
 * each round ends with the numbers of a run on one device. Redis and PostgreSQL carry the queue by
 * the same code, so PostgreSQL has four of the rounds.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient } from '#src/client/index.js';
import { evaluate } from '#src/index.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import type { Host } from './host.js';
import { missingFor } from './needed-programs.js';
import { Network } from './network.js';
import { Postgres } from './postgres.js';
import { Redis } from './redis.js';
import { compiler, shiftedClock } from './shifted-clock.js';
import { commandLine, digestOf, root, smallRequest } from './sharded-run.js';
import { until } from './until.js';
import { full } from '../full.js';

const timeout = 400_000;
const apiKey = 'a key of the tests';
/** Seconds after which a shard whose worker gives no sign goes to another one. */
const lock = 2;

/** The numbers alone: a server names files by their place below its root. */
const numbersOf = (result: EvaluationResult): string =>
  digestOf({ ...result, results: result.results.map((sae) => ({ ...sae, checkpoint: '' })) });

/** The request as a client of a server with this package as its root. */
function requestBelowRoot(): EvaluationRequest {
  const text = JSON.stringify(smallRequest()).replaceAll(`${root}/`, '');
  return JSON.parse(text) as EvaluationRequest;
}

class Cluster {
  readonly #network = new Network();
  readonly folder: string;
  readonly carrier: Redis | Postgres;
  readonly queueHost = this.#network.addHost('queue');
  readonly server = this.#network.addHost('server');
  readonly workers = [this.#network.addHost('w1'), this.#network.addHost('w2')] as const;
  readonly client = new SaeEvalClient(`http://${this.server.address}:8787`, { apiKey });

  constructor(queue: (host: Host, folder: string) => Redis | Postgres) {
    this.folder = mkdtempSync(join(tmpdir(), 'sae-eval-queue-'));
    chmodSync(this.folder, 0o711);
    mkdirSync(join(this.folder, 'runs'));
    this.carrier = queue(this.queueHost, this.folder);
  }

  async start(): Promise<void> {
    const { carrier } = this;
    await (carrier instanceof Postgres ? carrier.create() : carrier.start());
    this.startServer();
    for (const worker of this.workers) this.startWorker(worker);
    await this.untilWorkers(2);
  }

  startServer(): void {
    this.server.start(process.execPath, [commandLine, 'serve', '--host', '0.0.0.0'], {
      env: {
        SAE_EVAL_PORT: '8787',
        SAE_EVAL_API_KEY: apiKey,
        ...this.#environment,
        SAE_EVAL_ROOTS: `${root}:${this.folder}`,
        SAE_EVAL_RUNS: join(this.folder, 'runs'),
        SAE_EVAL_DB: join(this.folder, 'jobs.db'),
        SAE_EVAL_SHARD_SAMPLES: '4',
        SAE_EVAL_LOG_LEVEL: 'error',
      },
    });
  }

  startWorker(host: Host, env: Readonly<Record<string, string>> = {}): void {
    const roots = ['--root', root, this.folder, '--device', 'cpu'];
    host.start(process.execPath, [commandLine, 'worker', ...roots], {
      env: { ...this.#environment, SAE_EVAL_WORKER_LOCK: String(lock), ...env },
    });
  }

  /** Environment of the server and of workers: the queue, and who vouches for it. */
  get #environment(): Record<string, string> {
    const { carrier } = this;
    const certificate = carrier instanceof Redis ? carrier.tls?.certificate : undefined;
    return {
      SAE_EVAL_QUEUE: carrier.url,
      ...(certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate }),
    };
  }

  async untilWorkers(count: number): Promise<void> {
    await until(
      async () => {
        const workers = await this.client.workers().catch(() => []);
        return workers.filter(({ state }) => state !== 'gone').length >= count;
      },
      { what: `${count} workers`, seconds: 120, every: 200 },
    );
  }

  /** Number of shards of an evaluation that are done. */
  done(id: string): number {
    const folder = join(this.folder, 'runs', id, 'shards');
    if (!existsSync(folder)) return 0;
    return readdirSync(folder).filter((name) => /^\d+\.safetensors$/.test(name)).length;
  }

  /** The result of an evaluation when it has ended. @throws with its error if it has failed. */
  async result(id: string): Promise<EvaluationResult> {
    let result: EvaluationResult | null = null;
    await until(
      async () => {
        const record = await this.client.get(id).catch(() => null);
        const error = record?.error ?? null;
        if (error !== null) throw new Error(JSON.stringify(error));
        result = record?.result ?? null;
        return result !== null;
      },
      { what: `evaluation ${id}`, seconds: 240, every: 200 },
    );
    return result!;
  }

  close(): void {
    this.#network.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

type Fault = (cluster: Cluster) => Promise<void>;

const faults: Record<string, Fault> = {
  'nothing happens': () => Promise.resolve(),
  'the host of a worker is killed and comes back': async (cluster) => {
    const [first] = cluster.workers;
    await first.kill();
    cluster.startWorker(first);
  },
  'the cable of a worker is pulled for longer than the lock': async ({ workers: [first] }) => {
    first.cut();
    await wait(3000 * lock);
    first.connect();
  },
  'the queue is killed': async ({ carrier }) => {
    await carrier.kill();
    await wait(1000);
    await carrier.start();
  },
  'the host of a worker is frozen for longer than the lock': async ({ workers: [first] }) => {
    first.freeze();
    await wait(3000 * lock);
    first.thaw();
  },
  'the queue loses its data': async ({ carrier }) => {
    await carrier.kill();
    if (carrier instanceof Redis) carrier.loseData();
    await carrier.start();
  },
  'the server is killed': async (cluster) => {
    await cluster.server.kill();
    cluster.startServer();
  },
  'the clock of a worker is 26 hours ahead': async (cluster) => {
    const [first, second] = cluster.workers;
    await first.kill();
    cluster.startWorker(first, shiftedClock(cluster.folder, 26 * 3600));
    // It computes while the other one does not, whose shard it takes over.
    second.freeze();
    await until(() => first.processes().length > 1, { what: 'its compute process', seconds: 60 });
    await wait(4000 * lock);
    second.thaw();
  },
  'the host of a worker is killed for good': ({ workers: [first] }) => first.kill(),
};

describe.each([
  {
    name: 'Redis',
    programs: ['redis-server', compiler],
    rounds: Object.keys(faults),
    queue: (host: Host, folder: string) => new Redis(host, folder, { appendOnly: true }),
  },
  {
    name: 'Redis with TLS and a password',
    programs: ['redis-server', 'openssl'],
    rounds: Object.keys(faults).slice(0, 4),
    queue: (host: Host, folder: string) =>
      new Redis(host, folder, { appendOnly: true, tls: true, password: 'a b/c' }),
  },
  {
    name: 'PostgreSQL',
    programs: ['initdb', 'postgres'],
    rounds: Object.keys(faults).slice(0, 4),
    queue: (host: Host, folder: string) => new Postgres(host, folder),
  },
])('a cluster with a queue on $name', ({ programs, rounds, queue }) => {
  const missing = missingFor(...programs);
  describe.runIf(full && missing === '')(`computes the numbers of one device${missing}`, () => {
    let cluster: Cluster;
    let single: string;

    beforeAll(async () => {
      cluster = new Cluster(queue);
      single = numbersOf(await evaluate(smallRequest()));
      await cluster.start();
    });
    afterAll(() => cluster.close());

    it.each(rounds)('if %s', { timeout }, async (round) => {
      const { client } = cluster;
      const { id } = await client.evaluate(requestBelowRoot());
      await until(() => cluster.done(id) >= 2, { what: 'two shards', seconds: 120 });
      await faults[round]!(cluster);
      const result = await cluster.result(id);
      expect(numbersOf(result)).toBe(single);
      expect(result.config.plan).toMatchObject({ shards: 16 });
      await client.remove(id);
    });
  });
});
