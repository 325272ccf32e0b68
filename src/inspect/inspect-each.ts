/**
 * Describes many files one after the other, in processes of their own. An answer is given as it
 * comes; a file that takes too long, or ends the process, has an error, and the others go on.
 */
import type { ChildProcess } from 'node:child_process';
import { z } from 'zod';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { serializedErrorSchema } from '../evaluation/request/path-table.js';
import { checkpointDescriptionSchema, type CheckpointDescription } from '../schema/catalogue.js';
import {
  forkInspector,
  modelFactsSchema,
  startFault,
  type Inspected,
  type ModelFacts,
} from './inspect.js';
import { partSchema } from './protocol.js';

export interface EachOptions<T> {
  /** Real paths of the folders that may be read. */
  within: readonly string[];
  /** Milliseconds that one file may take. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Takes the answer of a file. `isPassing`: another time it may be another one. */
  onAnswer(index: number, answer: Inspected<T>, about: { isPassing: boolean }): void;
}

type Kind = 'checkpoints' | 'models';

/** @throws SaeEvalError `unavailable` if no process can be started, `cancelled`. */
async function inspectEach<T>(
  type: Kind,
  item: z.ZodType,
  paths: readonly string[],
  options: EachOptions<T>,
): Promise<void> {
  const answerSchema = z.union([
    z.object({ ok: item }),
    z.object({ error: serializedErrorSchema }),
  ]);
  /** Index of a file whose process died at once, which may be chance. */
  let diedAt = -1;
  for (let next = 0; next < paths.length;) {
    const first = next;
    const end = await untilItEnds(type, paths.slice(first), options, (index, answer) => {
      next = first + index + 1;
      const parsed = answerSchema.parse(answer) as Inspected<T>;
      options.onAnswer(first + index, parsed, { isPassing: false });
    });
    if (next >= paths.length) return;
    if (!end.isTimeout && diedAt !== next) {
      diedAt = next;
      continue;
    }
    const seconds = options.timeoutMs / 1000;
    const error = new SaeEvalError(
      'checkpoint-format',
      `${paths[next]!} could not be inspected: ` +
        (end.isTimeout
          ? `that takes longer than ${seconds} s.`
          : `the process that read it ended (${end.how}); it is damaged or far too large.`),
    );
    options.onAnswer(next, { error: error.toJSON() }, { isPassing: end.isTimeout });
    next += 1;
  }
}

/** Reads files in one process, until it has read all or ends at one. */
async function untilItEnds<T>(
  type: Kind,
  paths: readonly string[],
  { within, timeoutMs, signal }: EachOptions<T>,
  onPart: (index: number, answer: unknown) => void,
): Promise<{ isTimeout: boolean; how: string }> {
  const refuseIfOver = (): void => {
    if (signal.aborted) throw new SaeEvalError('cancelled', 'The files are not wanted any more.');
  };
  refuseIfOver();
  const child: ChildProcess = forkInspector();
  const kill = (): void => void child.kill('SIGKILL');
  let isTimeout = false;
  const onTimeout = (): void => {
    isTimeout = true;
    kill();
  };
  let timer = setTimeout(onTimeout, timeoutMs);
  signal.addEventListener('abort', kill, { once: true });
  try {
    const how = await new Promise<string>((resolve, reject) => {
      child.on('message', (message) => {
        const part = partSchema.safeParse(message);
        if (!part.success) return;
        clearTimeout(timer);
        timer = setTimeout(onTimeout, timeoutMs);
        try {
          onPart(part.data.part, part.data.answer);
        } catch (thrown) {
          reject(asSaeEvalError(thrown, 'An inspection'));
        }
      });
      child.once('error', (error) => reject(startFault(error)));
      child.once('close', (code, name) => resolve(name ?? `exit code ${code}`));
      // Without a channel the process could not be started, and the error comes.
      if (child.connected) child.send({ type, paths, within, isEach: true }, () => {});
    });
    refuseIfOver();
    return { isTimeout, how };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
    kill();
  }
}

/** Describes checkpoint files. */
export const inspectEachCheckpoint = (
  paths: readonly string[],
  options: EachOptions<CheckpointDescription>,
): Promise<void> => inspectEach('checkpoints', checkpointDescriptionSchema, paths, options);

/** Reads the configurations of model folders. */
export const inspectEachModel = (
  paths: readonly string[],
  options: EachOptions<ModelFacts>,
): Promise<void> => inspectEach('models', modelFactsSchema, paths, options);
