/** The request of a command line, read, with the changes that its options ask for. */
import type { RequestArguments } from './request-arguments.js';
import { readRequest } from './request-file.js';
import { setField } from './set-field.js';

/**
 * Content of the request's file with `--set` and `--name`.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `body-malformed`, `request-invalid`.
 */
export async function requestOf({ request, set = [], name }: RequestArguments): Promise<unknown> {
  const content = await readRequest(request);
  const isObject = content !== null && typeof content === 'object' && !Array.isArray(content);
  if (!isObject) return content; // Validation refuses it later.
  const changed = set.reduce<unknown>(setField, content);
  return name === undefined ? changed : { ...(changed as object), name };
}
