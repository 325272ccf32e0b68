/**
 * Rounds of faults, each with a server, workers and a queue of its own: whatever happens, the
 * result has the bits of the calm run. Redis, and PostgreSQL by the same code. In full runs only.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaeEvalClient, type EvaluationRequest } from '#src/client/index.js';
import { programPath } from '../../cluster/needed-programs.js';
import { full } from '../../full.js';
import {
  computeProcesses,
  packageRoot,
  smallRequest,
  temporaryFolder,
  until,
  untilReady,
  type ServerProcess,
} from '../harness.js';
import {
  killed,
  LocalRedis,
  numbersOf,
  resultOf,
  spawnSharingServer,
  spawnWorker,
  submitTo,
  withoutRedis,
  workerAtWork,
  type WorkerProcess,
} from './harness.js';

const request: EvaluationRequest = smallRequest({
  dataset: { path: 'checkpoints/eval', maxSamples: 80, seqLen: 32 },
  batchSize: 4,
});

/** A queue that can be killed and started again. */
interface Service {
  url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

const nobody = 65534;

/** PostgreSQL on a port of its own, run by `nobody`, since root may not. */
class LocalPostgres implements Service {
  #child: ChildProcess | null = null;
  #port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sae-eval-postgres-'));

  static async create(): Promise<LocalPostgres> {
    const postgres = new LocalPostgres();
    chownSync(postgres.#folder, nobody, nobody);
    chmodSync(postgres.#folder, 0o700);
    const made = postgres.#run('initdb', ['-A', 'trust', '-E', 'UTF8', '--locale', 'C', '-N']);
    if (made.status !== 0) throw new Error(made.stderr);
    postgres.#port = await new Promise((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
    });
    await postgres.start();
    return postgres;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  #as(program: string, args: readonly string[]): [string, string[]] {
    const user = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--'];
    return ['setpriv', [...user, programPath(program)!, ...args]];
  }

  #run(program: string, args: readonly string[]): { status: number | null; stderr: string } {
    const where = program === 'initdb' ? ['-D', join(this.#folder, 'data'), '-U', 'postgres'] : [];
    const [command, all] = this.#as(program, [...where, ...args]);
    return spawnSync(command, all, { encoding: 'utf8', cwd: '/', env: { HOME: '/' } });
  }

  async start(): Promise<void> {
    const [command, args] = this.#as('postgres', [
      ...['-D', join(this.#folder, 'data'), '-k', this.#folder, '-h', '127.0.0.1'],
      ...['-p', String(this.#port), '-c', 'fsync=off'],
    ]);
    this.#child = spawn(command, args, { stdio: 'ignore', cwd: '/' });
    const ready = ['-h', '127.0.0.1', '-p', String(this.#port), '-U', 'postgres', '-c', 'select 1'];
    await until(() => this.#run('psql', [...ready, '-d', 'postgres']).status === 0, {
      what: 'PostgreSQL to answer',
    });
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // SIGQUIT: at once and without tidying up, with its own children.
    child.kill('SIGQUIT');
    await ended;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A server and two workers at one queue. */
class Cluster {
  readonly #folder = temporaryFolder();
  readonly workers: WorkerProcess[] = [];
  server!: ServerProcess;

  constructor(readonly queue: string) {
    mkdirSync(join(this.#folder.path, 'runs'));
  }

  async open(): Promise<void> {
    this.work();
    this.work();
    await this.serve();
    // Workers that an earlier round killed are still on the list.
    await until(
      async () => {
        const listed = (await this.client.workers()).map(({ id }) => id);
        return this.workers.every(({ child }) =>
          listed.some((id) => id.includes(`-${child.pid}-`)),
        );
      },
      { what: 'two workers', seconds: 120 },
    );
  }

  async serve(): Promise<void> {
    this.server = await spawnSharingServer(this.#folder.path, this.queue);
    await untilReady(this.server.url);
  }

  work(): WorkerProcess {
    const worker = spawnWorker(this.queue, [packageRoot, this.#folder.path]);
    this.workers.push(worker);
    return worker;
  }

  get client(): SaeEvalClient {
    return new SaeEvalClient(this.server.url);
  }

  /** The worker that computes now. */
  async atWork(id: string): Promise<WorkerProcess> {
    const pid = await workerAtWork(this.server.url, id);
    return this.workers.find(({ child }) => child.pid === pid)!;
  }

  async close(): Promise<void> {
    for (const worker of this.workers) {
      worker.child.kill('SIGCONT');
      await killed(worker);
    }
    await killed(this.server);
    this.#folder.remove();
  }
}

type Round = (cluster: Cluster, id: string, service: Service) => Promise<void>;

const rounds: Record<string, Round> = {
  calm: async () => {},
  'a worker killed for good': async (cluster, id) => {
    await killed(await cluster.atWork(id));
  },
  'a worker killed, and another in its place': async (cluster, id) => {
    await killed(await cluster.atWork(id));
    cluster.work();
  },
  'a compute process killed': async (cluster, id) => {
    const { child } = await cluster.atWork(id);
    for (const pid of computeProcesses(child.pid!)) process.kill(pid, 'SIGKILL');
  },
  'a worker frozen for longer than its lock': async (cluster, id) => {
    const { child } = await cluster.atWork(id);
    const all = [child.pid!, ...computeProcesses(child.pid!)];
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 8000));
    for (const pid of all) process.kill(pid, 'SIGCONT');
  },
  'the queue killed and started again': async (cluster, id, service) => {
    await cluster.atWork(id);
    await service.kill();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await service.start();
  },
  'the server killed': async (cluster, id) => {
    await cluster.atWork(id);
    await killed(cluster.server);
    await cluster.serve();
  },
};

async function play(name: string, service: Service): Promise<string> {
  const cluster = new Cluster(service.url);
  try {
    await cluster.open();
    const id = await submitTo(cluster.server.url, request);
    await rounds[name]!(cluster, id, service);
    return numbersOf(await resultOf(() => cluster.server.url, id, 180));
  } finally {
    await cluster.close();
  }
}

let expected = '';

describe.skipIf(!full || withoutRedis !== '')(`faults with Redis${withoutRedis}`, () => {
  const folder = temporaryFolder();
  let redis: LocalRedis;
  beforeAll(async () => {
    redis = await LocalRedis.start(folder.path, { appendOnly: true });
  });
  afterAll(async () => {
    await redis.kill();
    folder.remove();
  });

  it.each(Object.keys(rounds))(
    '%s',
    async (name) => {
      const numbers = await play(name, redis);
      if (expected === '') expected = numbers;
      expect(numbers).toBe(expected);
    },
    360_000,
  );

  it('the data of Redis lost', async () => {
    const cluster = new Cluster(redis.url);
    try {
      await cluster.open();
      const id = await submitTo(cluster.server.url, request);
      await cluster.atWork(id);
      for (let times = 0; times < 5; times++) {
        redis.ask('FLUSHALL');
        await new Promise((resolve) => setTimeout(resolve, 700));
      }
      expect(numbersOf(await resultOf(cluster.server.url, id, 180))).toBe(expected);
    } finally {
      await cluster.close();
    }
  }, 360_000);

  it('a shard whose process always dies fails its evaluation with the reason', async () => {
    const cluster = new Cluster(redis.url);
    let killing = true;
    try {
      await cluster.open();
      const id = await submitTo(cluster.server.url, {
        ...request,
        dataset: { ...request.dataset, maxSamples: 400 },
        batchSize: 400,
      });
      const killer = (async () => {
        while (killing) {
          await cluster.atWork(id).catch(() => {});
          for (const { child } of cluster.workers)
            for (const pid of computeProcesses(child.pid!)) process.kill(pid, 'SIGKILL');
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      })();
      await until(async () => (await cluster.client.summary(id)).status === 'failed', {
        what: 'the evaluation to fail',
        seconds: 120,
      });
      killing = false;
      await killer;
      const { error } = await cluster.client.summary(id);
      expect(error).toMatchObject({ code: 'process-died' });
      expect(error!.message).toMatch(/^Shard 0 was lost 3 times/);
    } finally {
      killing = false;
      await cluster.close();
    }
  }, 360_000);
});

const needed = ['initdb', 'postgres', 'psql', 'setpriv'].filter(
  (name) => programPath(name) === undefined,
);
const isRoot = process.getuid?.() === 0;
const withoutPostgres =
  needed.length > 0 || !isRoot ? ` (skipped without root, ${needed.join(', ')})` : '';

describe.skipIf(!full || withoutPostgres !== '')(`faults with PostgreSQL${withoutPostgres}`, () => {
  let postgres: LocalPostgres;
  beforeAll(async () => {
    postgres = await LocalPostgres.create();
  });
  afterAll(async () => {
    await postgres.kill();
    postgres.remove();
  });

  it.each([
    'calm',
    'a worker killed for good',
    'the queue killed and started again',
    'the server killed',
  ])(
    '%s',
    async (name) => {
      const numbers = await play(name, postgres);
      if (expected === '') expected = numbers;
      expect(numbers).toBe(expected);
    },
    360_000,
  );
});
