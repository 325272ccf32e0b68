/**
 * A short-lived process that reads untrusted files for a server: checks a request, describes
 * checkpoints and models. It takes one message, answers it and ends.
 */
import { asSaeEvalError } from '../errors.js';
import { readModelConfig } from '../lm/config.js';
import { validateRequest } from '../evaluation/request/resolve.js';
import { describeCheckpoint } from './describe-checkpoint.js';
import { pathResolver, serverAllowsPrograms } from '../evaluation/request/path-table.js';
import { toInspectorSchema, type ToInspector } from './protocol.js';

/** Each path's answer, or why it has none. */
async function forEachPath<T>(
  paths: readonly string[],
  body: (path: string) => Promise<T>,
): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const path of paths) {
    try {
      answers.push({ ok: await body(path) });
    } catch (thrown) {
      answers.push({ error: asSaeEvalError(thrown, path).toJSON() });
    }
  }
  return answers;
}

async function answer(message: ToInspector): Promise<unknown> {
  if (message.type === 'validate')
    return (
      await validateRequest(message.input, {
        resolvePath: pathResolver(message.paths),
        allowProgram: serverAllowsPrograms(),
      })
    ).request;
  if (message.type === 'checkpoints') return forEachPath(message.paths, describeCheckpoint);
  return forEachPath(message.paths, async (path) => {
    const { family, layers, width, vocabulary, maxPositions } = await readModelConfig(path, {
      allowProgram: serverAllowsPrograms(),
    });
    return { family, layers, width, vocabulary, maxPositions };
  });
}

process.on('disconnect', () => process.exit(0));
process.once('message', (raw) => {
  void (async () => {
    let reply: object;
    try {
      reply = { ok: await answer(toInspectorSchema.parse(raw)) };
    } catch (thrown) {
      reply = { error: asSaeEvalError(thrown, 'The inspection').toJSON() };
    }
    process.send!(reply, undefined, {}, () => process.exit(0));
  })();
});
