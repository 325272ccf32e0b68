/**
 * A short-lived process that reads untrusted files for a server: checks a request, describes
 * checkpoints and models. It takes one message, answers it and ends.
 */
import { realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { asSaeEvalError } from '../errors.js';
import { readModelConfig } from '../lm/config.js';
import { findCheckpoints } from '../evaluation/request/checkpoints/find.js';
import { validateRequest } from '../evaluation/request/resolve.js';
import { describeCheckpoint } from './describe-checkpoint.js';
import { pathResolver, serverAllowsPrograms } from '../evaluation/request/path-table.js';
import { toInspectorSchema, type ToInspector } from './protocol.js';

/** Each item's answer, or why it has none. */
async function forEach<I, T>(
  items: readonly I[],
  body: (item: I) => Promise<T>,
  nameOf: (item: I) => string,
): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const item of items) {
    try {
      answers.push({ ok: await body(item) });
    } catch (thrown) {
      answers.push({ error: asSaeEvalError(thrown, nameOf(item)).toJSON() });
    }
  }
  return answers;
}

const forEachPath = <T>(
  paths: readonly string[],
  body: (path: string) => Promise<T>,
): Promise<unknown[]> => forEach(paths, body, String);

/** Whether a path, links followed, lies in one of the folders. */
function isWithin(folders: readonly string[]): (path: string) => boolean {
  return (path) => {
    try {
      const real = realpathSync(path);
      return folders.some((folder) => real === folder || real.startsWith(join(folder, sep)));
    } catch {
      return false;
    }
  };
}

async function answer(message: ToInspector): Promise<unknown> {
  if (message.type === 'validate')
    return (
      await validateRequest(message.input, {
        resolvePath: pathResolver(message.paths),
        allowProgram: serverAllowsPrograms(),
      })
    ).request;
  if (message.type === 'find')
    return forEach(
      message.patterns,
      ({ typed, real, within }) => findCheckpoints(typed, real, { mayRead: isWithin(within) }),
      ({ typed }) => typed,
    );
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
