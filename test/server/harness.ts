/**
 * Servers for tests: in this process, or in one of their own that can be killed; always on a port
 * of their own.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer, type RunningServer, type ServerOptions } from '#server/main.js';
import type { EvaluationRequest } from '#src/client/index.js';

export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** A folder that is removed at the end of the test file. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'sae-eval-server-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * A root with the shipped files alone, below `checkpoints`: a server lists what lies below its
 * roots, and all files of the tests take seconds.
 */
export function shippedRoot(folder: string): string {
  const root = join(folder, 'root');
  cpSync(join(packageRoot, 'checkpoints'), join(root, 'checkpoints'), { recursive: true });
  return root;
}

/** A server in this process, over the shipped files. */
export async function serve(folder: string, options: ServerOptions = {}): Promise<RunningServer> {
  return startServer(
    {
      host: '127.0.0.1',
      port: 0,
      roots: [packageRoot],
      db: join(folder, 'jobs.db'),
      logLevel: 'fatal',
      ...options,
    },
    { handleSignals: false },
  );
}

export async function untilReady(url: string): Promise<void> {
  await until(async () => (await fetch(`${url}/readyz`)).status === 200, {
    what: 'the server to be ready',
    seconds: 60,
  });
}

/** Waits for something that other processes do. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  { what, seconds = 30 }: { what: string; seconds?: number },
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} s for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface ServerProcess {
  url: string;
  child: ChildProcess;
  /** Text that the server wrote to its streams. */
  output(): string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** A server in a process of its own, as a user would start one. */
export async function spawnServer(
  folder: string,
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...flags, join(packageRoot, 'dist/server/serve.js')], {
    env: {
      ...process.env,
      SAE_EVAL_PORT: '0',
      SAE_EVAL_ROOTS: packageRoot,
      SAE_EVAL_DB: join(folder, 'jobs.db'),
      SAE_EVAL_LOG_LEVEL: 'warn',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const onText = (text: Buffer): void => {
      output += text.toString();
      const found = /listens on (http:\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', onText);
    child.stderr.on('data', onText);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}: ${output}`)));
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  );
  return { url, child, output: () => output, ended };
}

/** Ids of the processes of a server whose command line holds `name`. */
export function childProcesses(parent: number, name: string): number[] {
  try {
    return execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(parent)], { encoding: 'utf8' })
      .split('\n')
      .flatMap((line) => (line.includes(name) ? [Number.parseInt(line, 10)] : []));
  } catch {
    return [];
  }
}

export function computeProcesses(parent: number): number[] {
  return childProcesses(parent, 'compute/child.js');
}

/** Small and quick; `overrides` replace fields. */
export function smallRequest(overrides: Partial<EvaluationRequest> = {}): EvaluationRequest {
  return {
    model: 'checkpoints/tiny-llama',
    dataset: { path: 'checkpoints/eval', maxSamples: 8, seqLen: 32 },
    saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 }],
    batchSize: 4,
    device: 'cpu',
    ...overrides,
  };
}

export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/v1/evaluations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}
