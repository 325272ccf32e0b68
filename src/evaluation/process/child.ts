/**
 * The compute process: forked by host.ts, runs one evaluation at a time and keeps libtorch loaded between them. A crash
 * or an out-of-memory kill takes down this process alone.
 */
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { describeMachine } from './machine.js';
import { pathResolver } from './path-table.js';
import { toChildSchema, type FromChild, type ToChild } from './protocol.js';
import { watchParent } from './watch-parent.js';

const cancellations = new Map<number, AbortController>();

function send(message: FromChild): void {
  // The parent may be gone: then the watch ends this process.
  if (process.connected) process.send!(message, undefined, {}, () => {});
}

async function run(message: Extract<ToChild, { type: 'run' }>): Promise<void> {
  const { call, request, id, createdAt, journal, paths } = message;
  const controller = new AbortController();
  cancellations.set(call, controller);
  try {
    const { run: runEvaluation } = await import('../run.js');
    const result = await runEvaluation(request, {
      ...(id === undefined ? {} : { id }),
      ...(createdAt === undefined ? {} : { createdAt }),
      ...(journal === undefined ? {} : { journal }),
      signal: controller.signal,
      resolvePath: pathResolver(paths),
      onProgress: (progress) => send({ type: 'progress', call, progress, residentBytes: process.memoryUsage.rss() }),
      onResult: (results) => send({ type: 'partial', call, results }),
    });
    send({ type: 'result', call, result, residentBytes: process.memoryUsage.rss() });
  } finally {
    cancellations.delete(call);
    // Between evaluations there is time; a process that lives for weeks should not keep what the last one left.
    globalThis.gc?.();
  }
}

async function answer(message: ToChild): Promise<void> {
  if (message.type === 'cancel') {
    cancellations.get(message.call)?.abort(new SaeEvalError('cancelled', 'The evaluation was cancelled.'));
    return;
  }
  try {
    if (message.type === 'run') await run(message);
    else send({ type: 'described', call: message.call, machine: await describeMachine() });
  } catch (thrown) {
    const { call } = message;
    send({ type: 'error', call, error: asSaeEvalError(thrown, 'The evaluation').toJSON() });
  }
}

watchParent();
process.on('message', (raw) => void answer(toChildSchema.parse(raw)));
