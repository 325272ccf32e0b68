/**
 * A short-lived process that reads untrusted files for a server: checks a request, describes
 * checkpoints and models. It takes one message, answers it and ends.
 */
import { asSaeEvalError } from '../errors.js';
import { confineTo, factsOf } from '../files/index.js';
import { readModelConfig } from '../lm/config.js';
import { findCheckpoints } from '../evaluation/request/checkpoints/find.js';
import { validateRequest } from '../evaluation/request/resolve.js';
import { describeCheckpoint } from './describe-checkpoint.js';
import { openPaths, serverAllowsPrograms } from '../evaluation/request/path-table.js';
import { toInspectorSchema, type ToInspector } from './protocol.js';

/** Each item's answer, or why it has none. */
async function forEach<I, T>(
  items: readonly I[],
  body: (item: I) => Promise<T>,
  nameOf: (item: I) => string,
  { isEach = false }: { isEach?: boolean | undefined } = {},
): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const [index, item] of items.entries()) {
    let answer: object;
    try {
      answer = { ok: await body(item) };
    } catch (thrown) {
      answer = { error: asSaeEvalError(thrown, nameOf(item)).toJSON() };
    }
    if (isEach) await sent({ part: index, answer });
    else answers.push(answer);
  }
  return answers;
}

/** Sends a message, and waits until it has left: the next file may end the process. */
const sent = (message: object): Promise<void> =>
  new Promise((resolve) => process.send!(message, undefined, {}, () => resolve()));

const forEachPath = <T>(
  paths: readonly string[],
  body: (path: string) => Promise<T>,
  options: { isEach?: boolean | undefined },
): Promise<unknown[]> => forEach(paths, body, String, options);

/** Whether something is at a path, links followed, that may be read. */
function mayRead(path: string): boolean {
  try {
    return factsOf(path) !== null;
  } catch {
    return false;
  }
}

async function answer(message: ToInspector): Promise<unknown> {
  if (message.type === 'validate')
    return (
      await validateRequest(message.input, {
        resolvePath: openPaths(message.paths),
        allowProgram: serverAllowsPrograms(),
      })
    ).request;
  if (message.type === 'find')
    return forEach(
      message.patterns,
      ({ typed, real, within }) => {
        confineTo(within);
        return findCheckpoints(typed, real, { mayRead });
      },
      ({ typed }) => typed,
    );
  confineTo(message.within);
  if (message.type === 'checkpoints')
    return forEachPath(message.paths, describeCheckpoint, message);
  return forEachPath(
    message.paths,
    async (path) => {
      const { family, layers, width, vocabulary, maxPositions } = await readModelConfig(path, {
        allowProgram: serverAllowsPrograms(),
      });
      return { family, layers, width, vocabulary, maxPositions };
    },
    message,
  );
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
