/**
 * The link to the queue of shards: BullMQ on Redis or Valkey, or on PostgreSQL. The queue may be
 * gone at any moment: every call ends in time, and a lost link is told once.
 */
import {
  createPostgresBackend,
  createRedisBackend,
  Queue,
  Worker,
  type BackendFactory,
  type ConnectionOptions,
  type Job,
  type PostgresConnectionOptions,
  type RedisQueueBackend,
} from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { SaeEvalError } from '../../src/errors.js';
import { checkQueueUrl, isRedis, withoutPassword } from './queue-address.js';

export interface LinkOptions {
  /** `redis://`, `rediss://` or `postgres://`. */
  url: string;
  log: (message: string) => void;
  /** Seconds after which a shard whose worker gives no sign goes to another. */
  lockSeconds?: number;
}

/** The link is down, or does not answer in time. */
export class QueueUnreachable extends Error {}

/** Milliseconds that a call may take. */
const patience = 8000;
/** Milliseconds that the first connection may take, and between looks at it. */
const firstConnection = 3000;
const betweenStates = 20;
/** Names of all that we keep in Redis begin with it; in PostgreSQL it is the schema. */
const namespace = 'sae_eval';
const oldestRedis = 7;

export const defaultLockSeconds = 30;

export class QueueLink {
  readonly #redis: Redis | null = null;
  readonly #queues = new Map<string, Queue>();
  readonly #workers = new Map<string, Worker>();
  readonly #name: string;
  #isLost = false;
  #isChecked = false;
  #timeouts = 0;
  #refusal: NodeJS.ErrnoException | null = null;

  /** @throws SaeEvalError `configuration-invalid`. */
  constructor(private readonly options: LinkOptions) {
    const { url } = options;
    checkQueueUrl(url);
    this.#name = withoutPassword(url);
    if (!isRedis(url)) return;
    this.#redis = new Redis(url, {
      // Questions from before the link broke are asked again by us, not by the client.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: null,
      commandTimeout: patience,
      connectTimeout: patience,
      keepAlive: 10_000,
      retryStrategy: (times) => Math.min(200 * 2 ** Math.min(times, 6), 10_000),
    });
    this.#redis.on('error', (error) => (this.#refusal = error)); // Each call tells.
  }

  get lockMilliseconds(): number {
    return (this.options.lockSeconds ?? defaultLockSeconds) * 1000;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** A queue, of which jobs are put and listed. */
  queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new Queue(name, this.#settings, this.#factory);
      queue.on('error', () => {});
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** A queue, of which jobs are taken by hand. It also looks for jobs whose worker is gone. */
  worker(name: string): Worker {
    let worker = this.#workers.get(name);
    if (worker === undefined) {
      worker = new Worker(
        name,
        null,
        {
          ...this.#settings,
          autorun: false,
          concurrency: 1,
          lockDuration: this.lockMilliseconds,
          stalledInterval: this.lockMilliseconds / 2,
          // The server counts losses.
          maxStalledCount: 1_000_000,
          removeOnComplete: { count: 0 },
          removeOnFail: { count: 0 },
        },
        this.#factory,
      );
      worker.on('error', () => {});
      void worker.startStalledCheckTimer();
      this.#workers.set(name, worker);
    }
    return worker;
  }

  /** The next job of a queue, if one waits. */
  async take(name: string, token: string): Promise<Job | null> {
    return this.ask(
      async () => (await this.worker(name).getNextJob(token, { block: false })) ?? null,
    );
  }

  /**
   * Asks the queue.
   * @throws QueueUnreachable if it does not answer in time; SaeEvalError `configuration-invalid` if
   *   it is too old.
   */
  async ask<T>(action: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const answered = await Promise.race([
        this.#check().then(action),
        new Promise<never>((_, reject) => {
          timer = setTimeout(() => {
            this.#timeouts += 1;
            // A link that was cut may look open for minutes.
            if (this.#timeouts > 1) this.#redis?.disconnect(true);
            reject(new Error('it does not answer'));
          }, patience);
        }),
      ]);
      this.#timeouts = 0;
      if (this.#isLost) this.options.log(`the queue ${this.#name} answers again`);
      this.#isLost = false;
      return answered;
    } catch (thrown) {
      if (thrown instanceof SaeEvalError) throw thrown;
      const reason = reasonOf(thrown);
      if (!this.#isLost)
        this.options.log(`the queue ${this.#name} cannot be used (${reason}); trying again`);
      this.#isLost = true;
      throw new QueueUnreachable(reason, { cause: thrown });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks the queue, and leaves it if it does not answer. */
  async tell(action: () => Promise<unknown>): Promise<void> {
    await this.ask(action).catch(() => {});
  }

  async #check(): Promise<void> {
    if (this.#isChecked || this.#redis === null) return;
    await this.#untilConnected(this.#redis);
    const text = await this.#redis.info('server');
    const version = /^redis_version:(\S+)/m.exec(text)?.[1] ?? '0';
    if (Number.parseInt(version, 10) < oldestRedis)
      throw new SaeEvalError(
        'configuration-invalid',
        `queue: ${this.#name} is Redis ${version}; expected Redis ${oldestRedis} or later, or ` +
          'Valkey.',
      );
    this.#isChecked = true;
  }

  /** Waits for a connection that is being made. */
  async #untilConnected(redis: Redis): Promise<void> {
    for (let waited = 0; redis.status !== 'ready'; waited += betweenStates) {
      const refusal = this.#refusal;
      if (refusal !== null && isOfCertificate(refusal)) throw this.#notTrusted(refusal);
      if (waited >= firstConnection || redis.status === 'reconnecting')
        throw new Error(refusal?.message ?? 'it cannot be reached');
      await delay(betweenStates);
    }
  }

  #notTrusted({ message }: Error): SaeEvalError {
    return new SaeEvalError(
      'configuration-invalid',
      `queue: the certificate of ${this.#name} is not trusted (${message}); expected one of a ` +
        'known authority, or of one whose certificates are in a PEM file that ' +
        'NODE_EXTRA_CA_CERTS names.',
    );
  }

  /** Ends the link. Jobs that were taken stay so until their lock is over. */
  async close(): Promise<void> {
    const ends = [
      ...[...this.#workers.values()].map((worker) => worker.close(true)),
      ...[...this.#queues.values()].map((queue) => queue.close()),
    ];
    await Promise.race([
      Promise.allSettled(ends),
      new Promise((resolve) => setTimeout(resolve, 2000)),
    ]);
    this.#redis?.disconnect();
  }

  get #settings(): { connection: ConnectionOptions; prefix?: string } {
    if (this.#redis !== null) return { connection: this.#redis, prefix: namespace };
    const connection: PostgresConnectionOptions = {
      connectionString: this.options.url,
      schema: namespace,
      migrate: true,
      max: 4,
      connectionTimeoutMillis: patience,
      query_timeout: patience,
      keepAlive: true,
    };
    // BullMQ's types name one backend; its classes take any.
    return { connection: connection };
  }

  get #factory(): BackendFactory<RedisQueueBackend, ConnectionOptions> {
    const factory = this.#redis === null ? createPostgresBackend : createRedisBackend;
    return factory as unknown as BackendFactory<RedisQueueBackend, ConnectionOptions>;
  }
}

/** Whether a connection failed because of the other side's certificate, which no wait mends. */
const isOfCertificate = ({ code = '' }: NodeJS.ErrnoException): boolean =>
  /CERT|^UNABLE_TO_(GET_ISSUER|VERIFY)/.test(code);

/** Why a call failed, in a few words and without an address. */
function reasonOf(thrown: unknown): string {
  const { message = '', code = 'no reason given' } = thrown as NodeJS.ErrnoException;
  return message === '' ? code : message.split('\n')[0]!.slice(0, 200);
}
