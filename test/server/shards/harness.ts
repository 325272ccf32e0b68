/** A real Redis, and workers in processes of their own, for tests of a server with a queue. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SaeEvalClient, type EvaluationRequest, type EvaluationResult } from '#src/client/index.js';
import { makeCertificate, type Certificate } from '../../cluster/certificate.js';
import { programPath } from '../../cluster/needed-programs.js';
import { packageRoot, spawnServer, until, type ServerProcess } from '../harness.js';

export const redisProgram = programPath('redis-server');
/** Why tests with Redis are skipped; '' if they are not. */
export const withoutRedis = redisProgram === undefined ? ' (skipped without redis-server)' : '';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export class LocalRedis {
  #child: ChildProcess | null = null;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly appendOnly: boolean,
    /** Its certificate, if it speaks TLS. */
    readonly tls: Certificate | null,
  ) {}

  static async start(
    folder: string,
    { appendOnly = false, tls = false }: { appendOnly?: boolean; tls?: boolean } = {},
  ): Promise<LocalRedis> {
    mkdirSync(join(folder, 'redis'), { recursive: true });
    const certificate = tls ? makeCertificate(folder, '127.0.0.1') : null;
    const port = await freePort();
    const redis = new LocalRedis(join(folder, 'redis'), port, appendOnly, certificate);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `${this.tls === null ? 'redis' : 'rediss'}://:secret@127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const { tls } = this;
    const port =
      tls === null
        ? ['--port', String(this.port)]
        : [
            ...['--port', '0', '--tls-port', String(this.port), '--tls-auth-clients', 'no'],
            ...['--tls-cert-file', tls.certificate, '--tls-key-file', tls.key],
            ...['--tls-ca-cert-file', tls.certificate],
          ];
    const options = [...port, '--bind', '127.0.0.1', '--save', ''];
    const append = ['--appendonly', this.appendOnly ? 'yes' : 'no', '--appendfsync', 'always'];
    const child = spawn(
      redisProgram!,
      [...options, ...append, '--dir', this.folder, '--requirepass', 'secret'],
      { stdio: 'ignore' },
    );
    this.#child = child;
    await until(() => this.ask('PING') === 'PONG', { what: 'Redis to answer' });
  }

  get version(): string {
    return /^redis_version:(\S+)/m.exec(this.ask('INFO', 'server'))![1]!;
  }

  /** What Redis answers. */
  ask(...command: string[]): string {
    const tls = this.tls === null ? [] : ['--tls', '--cacert', this.tls.certificate];
    const { stdout } = spawnSync(
      programPath('redis-cli')!,
      ['-p', String(this.port), ...tls, ...command],
      { encoding: 'utf8', env: { ...process.env, REDISCLI_AUTH: 'secret' } },
    );
    return stdout.trim();
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

export interface WorkerProcess {
  child: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

/** `sae-eval worker`, as a user would start one. */
export function spawnWorker(
  queue: string,
  roots: readonly string[],
  { env = {}, flags = [] }: { env?: Record<string, string>; flags?: readonly string[] } = {},
): WorkerProcess {
  const child = spawn(
    process.execPath,
    [
      join(packageRoot, 'dist/src/cli/main.js'),
      ...['worker', '--device', 'cpu', '--root', ...roots, ...flags],
    ],
    {
      env: { ...process.env, SAE_EVAL_QUEUE: queue, SAE_EVAL_WORKER_LOCK: '2', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, output: () => output, ended };
}

/** A server with a queue, over the shipped files. */
export function spawnSharingServer(
  folder: string,
  queue: string,
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  return spawnServer(folder, {
    SAE_EVAL_QUEUE: queue,
    SAE_EVAL_RUNS: join(folder, 'runs'),
    SAE_EVAL_ROOTS: `${packageRoot}:${folder}`,
    SAE_EVAL_SHARD_SAMPLES: '4',
    ...env,
  });
}

export async function killed({ child, ended }: WorkerProcess | ServerProcess): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

/** The numbers of a result, which must be of the same bits however it was computed. */
export const numbersOf = ({ results, data }: EvaluationResult): string =>
  JSON.stringify([
    results.map((sae) => ({ ...sae, checkpoint: null })),
    data.samples,
    data.realTokens,
  ]);

/** Submits and gives the id. */
export async function submitTo(url: string, request: EvaluationRequest): Promise<string> {
  return (await new SaeEvalClient(url).evaluate(request)).id;
}

/** The result of an evaluation when it has ended well. @throws with its error if it has not. */
export async function resultOf(
  url: string | (() => string),
  id: string,
  seconds = 90,
): Promise<EvaluationResult> {
  const address = (): string => (typeof url === 'string' ? url : url());
  let found: EvaluationResult | null = null;
  await until(
    async () => {
      const record = await new SaeEvalClient(address()).get(id).catch(() => null);
      if (record !== null && record.error !== null) throw new Error(JSON.stringify(record.error));
      found = record?.result ?? null;
      return found !== null;
    },
    { what: `evaluation ${id} to end`, seconds },
  );
  return found!;
}

/**
 * Waits until a shard of an evaluation is computed. @returns the process id of its worker.
 * @throws if the evaluation has ended: it was too short for a worker to be seen at it.
 */
export async function workerAtWork(url: string, id: string, seconds = 60): Promise<number> {
  let pid = 0;
  await until(
    async () => {
      const client = new SaeEvalClient(url);
      const workers = await client.workers();
      const worker = workers.find(({ run, state }) => run === id && state === 'computing');
      pid = Number(/-(\d+)-cpu-[0-9a-f]{6}$/.exec(worker?.id ?? '')?.[1] ?? 0);
      if (pid === 0) await throwIfEnded(client, id);
      return pid > 0;
    },
    { what: 'a worker to compute', seconds },
  );
  return pid;
}

async function throwIfEnded(client: SaeEvalClient, id: string): Promise<void> {
  const { status } = await client.summary(id);
  if (status === 'succeeded' || status === 'failed' || status === 'cancelled')
    throw new Error(`Evaluation ${id} has ${status} before a worker was seen at work.`);
}
