/**
 * The host's side of inspect-child.ts: untrusted files are read there, with a time limit and a
 * memory limit.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { z } from 'zod';
import { entryFile } from '../entry.js';
import { SaeEvalError, type SerializedError } from '../errors.js';
import { checkpointDescriptionSchema, type CheckpointDescription } from '../schema/catalogue.js';
import { resolvedRequestSchema } from '../schema/record.js';
import type { ResolvedRequest } from '../schema/request.js';
import { childEnvironment } from './child-environment.js';
import { serializedErrorSchema, type PathTable } from '../evaluation/request/path-table.js';
import { fromInspectorSchema, type ToInspector } from './protocol.js';

export const modelFactsSchema = z.object({
  family: z.string(),
  layers: z.number(),
  width: z.number(),
  vocabulary: z.number(),
  maxPositions: z.number(),
});
export type ModelFacts = z.infer<typeof modelFactsSchema>;
export type Inspected<T> = { ok: T } | { error: SerializedError };

export interface InspectOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface ListOptions extends InspectOptions {
  /** Real paths of the folders that may be read. */
  within: readonly string[];
}

/** Heap of an inspecting process, in MiB: enough for the largest header that is read. */
const heapMebibytes = 512;

/** The process ended without an answer. */
class InspectorDiedError extends SaeEvalError {}

/** System errors that keep a process from starting; no file can cause them. */
const passing = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

/** Starts a process that waits for its message. */
export function forkInspector(): ChildProcess {
  return fork(entryFile('src/inspect/inspect-child.js'), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: childEnvironment(),
    execArgv: [`--max-old-space-size=${heapMebibytes}`],
  });
}

/** The error of a process that could not be started. */
export function startFault(error: NodeJS.ErrnoException): Error {
  return passing.has(error.code ?? '')
    ? new SaeEvalError(
        'unavailable',
        `No process could be started to read the files (${error.code}); try again in a moment.`,
        { cause: error },
      )
    : error;
}

async function inspectOnce(
  message: ToInspector,
  { timeoutMs = 30_000, signal }: InspectOptions,
): Promise<unknown> {
  if (signal?.aborted === true) throw new SaeEvalError('cancelled', 'The request was given up.');
  const child = forkInspector();
  const kill = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(kill, timeoutMs);
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const reply = await new Promise<unknown>((resolve, reject) => {
      child.once('message', resolve);
      child.once('error', (error: NodeJS.ErrnoException) => reject(startFault(error)));
      child.once('close', (code, signalName) => {
        if (signal?.aborted === true)
          reject(new SaeEvalError('cancelled', 'The request was given up.'));
        else
          reject(
            new InspectorDiedError(
              'checkpoint-format',
              'A file named by the request could not be inspected: the process that read ' +
                `it ended (${signalName ?? `exit code ${code}`}) within ${timeoutMs / 1000} ` +
                's; the file is damaged or far too large.',
            ),
          );
      });
      // Without a channel the process could not be started, and the error comes.
      if (child.connected) child.send(message, () => {});
    });
    const parsed = fromInspectorSchema.parse(reply);
    if ('error' in parsed) throw SaeEvalError.fromJSON(parsed.error as SerializedError);
    return parsed.ok;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
  }
}

/**
 * A process that dies at once may be chance, twice is the file; one that was killed after all its
 * time is not tried again.
 */
async function inspect(message: ToInspector, options: InspectOptions = {}): Promise<unknown> {
  const until = performance.now() + (options.timeoutMs ?? 30_000) / 2;
  try {
    return await inspectOnce(message, options);
  } catch (thrown) {
    if (!(thrown instanceof InspectorDiedError) || performance.now() > until) throw thrown;
    return inspectOnce(message, options);
  }
}

/**
 * Checks a request against the headers of what it names, in a process of its own.
 * @returns the request with every default filled in. @throws SaeEvalError with `fields`.
 */
export async function inspectRequest(
  input: unknown,
  paths: PathTable,
  options?: InspectOptions,
): Promise<ResolvedRequest> {
  return resolvedRequestSchema.parse(await inspect({ type: 'validate', input, paths }, options));
}

function listSchema<T extends z.ZodType>(item: T) {
  return z.array(z.union([z.object({ ok: item }), z.object({ error: serializedErrorSchema })]));
}

/** Describes checkpoint files, an answer or an error for each. */
export async function inspectCheckpoints(
  paths: readonly string[],
  { within, ...options }: ListOptions,
): Promise<Inspected<CheckpointDescription>[]> {
  return listSchema(checkpointDescriptionSchema).parse(
    await inspect({ type: 'checkpoints', paths: [...paths], within: [...within] }, options),
  ) as Inspected<CheckpointDescription>[];
}

/** The part of a `checkpoints` field that a server has looked at. */
export type FoundStart = Extract<ToInspector, { type: 'find' }>['patterns'][number];

/** The checkpoints of patterns and folders, an answer or an error for each. */
export async function inspectPatterns(
  patterns: readonly FoundStart[],
  options?: InspectOptions,
): Promise<Inspected<string[]>[]> {
  return listSchema(z.array(z.string())).parse(
    await inspect({ type: 'find', patterns: [...patterns] }, options),
  ) as Inspected<string[]>[];
}
