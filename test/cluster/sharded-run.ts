/** An evaluation in a folder of its own, computed by commands in hosts, and what it must give. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FolderStore } from '#src/evaluation/shards/folder-store.js';
import { merge } from '#src/evaluation/shards/merge.js';
import { evaluate } from '#src/index.js';
import type { EvaluationRequest, EvaluationResult } from '#src/schema/index.js';
import type { CommandOptions, Ended, Host, HostCommand } from './host.js';
import { until } from './until.js';

export const root = resolve(import.meta.dirname, '../..');
export const commandLine = join(root, 'dist/src/cli/main.js');

/** A request whose shards take a moment each: long enough to be interrupted. */
export function smallRequest(samples = 64): EvaluationRequest {
  const shipped = (name: string): string => join(root, 'checkpoints', name);
  return {
    model: shipped('tiny-llama'),
    dataset: { path: shipped('eval'), maxSamples: samples, seqLen: 32 },
    saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 16, k: 16 }],
    batchSize: 2,
    device: 'cpu',
  };
}

/** SHA-256 of the numbers of a result: what two runs of one request must share. */
export function digestOf({ results, comparisons }: EvaluationResult): string {
  const sorted = (_: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  const text = JSON.stringify({ results, comparisons }, sorted);
  return createHash('sha256').update(text).digest('hex');
}

export class ShardedRun {
  readonly out: string;
  readonly #asked: EvaluationRequest;
  readonly request: string;

  /** @param folder for the request and the run; it is made. */
  constructor(
    readonly folder: string,
    request: EvaluationRequest,
    /** Samples of a shard. */
    private readonly shardSamples = 8,
  ) {
    mkdirSync(folder, { recursive: true });
    this.#asked = request;
    this.out = join(folder, 'run');
    this.request = join(folder, 'request.json');
    writeFileSync(this.request, JSON.stringify(request));
  }

  /** Arguments of `node` that compute a share `i/n` of the shards. */
  shardArguments(share: string): string[] {
    return [
      ...[commandLine, 'shard', this.request, '--out', this.out],
      ...['--shard-samples', String(this.shardSamples), share],
    ];
  }

  /** Starts to compute a share in a host. */
  compute(
    host: Host,
    share: string,
    options?: CommandOptions,
    flags: readonly string[] = [],
  ): HostCommand {
    return host.start(process.execPath, [...this.shardArguments(share), ...flags], options);
  }

  /** Evaluates in this process on one device. @returns the digest of the numbers */
  async single(): Promise<string> {
    return digestOf(await evaluate(this.#asked));
  }

  /** Merges in this process. */
  async merged(): Promise<EvaluationResult> {
    return merge(new FolderStore(this.out));
  }

  /** The result that `sae-eval merge` has written. */
  written(): EvaluationResult {
    return JSON.parse(readFileSync(join(this.out, 'report.json'), 'utf8')) as EvaluationResult;
  }

  /** Number of shards that are done. */
  get done(): number {
    const folder = join(this.out, 'shards');
    if (!existsSync(folder)) return 0;
    return readdirSync(folder).filter((name) => /^\d+\.safetensors$/.test(name)).length;
  }

  /** Waits until some shards are done. */
  async untilDone(shards: number): Promise<void> {
    await until(() => this.done >= shards, { what: `${shards} shards`, seconds: 120 });
  }

  /** Waits until somebody has decided for all, so that computing has begun. */
  async untilDecided(): Promise<void> {
    await until(() => existsSync(join(this.out, 'decisions.json')), {
      what: 'decisions.json',
      seconds: 120,
    });
  }

  /** Removes what was computed. */
  clear(): void {
    rmSync(this.out, { recursive: true, force: true });
  }
}

/** @throws with the output if a command failed. */
export function succeeded({ code, signal, stdout, stderr }: Ended): void {
  if (code !== 0) throw new Error(`ended with ${code ?? signal}:\n${stdout}${stderr}`);
}
