/**
 * Paths of a request as the file system knows them. A server decides which paths may be read and
 * hands its decisions to the process that reads, as data: a request's path is either a path of the
 * file system or an error.
 */
import { dirname, sep } from 'node:path';
import { z } from 'zod';
import { SaeEvalError, type SerializedError } from '../../errors.js';
import { confineTo } from '../../files/index.js';
import { located, type HubThing } from '../../hub-cache.js';

export const serializedErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  fields: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/**
 * Path of the file system for each path of a request, or the error of it. Null: any path may be
 * read as it stands (the command line).
 */
const entry = z.object({
  name: z.string(),
  /** The kind of thing: one name of the hub may be a model, an SAE and a text. */
  thing: z.enum(['model', 'SAE', 'dataset']).optional(),
});
export const pathTableSchema = z
  .array(
    z.union([
      entry.extend({
        path: z.string(),
        /** Real paths of the folders in which its files lie, links followed; default its own. */
        within: z.array(z.string()).optional(),
      }),
      entry.extend({ error: serializedErrorSchema }),
    ]),
  )
  .nullable();
export type PathTable = z.infer<typeof pathTableSchema>;

/**
 * From a path of a request to one of the file system; throws if it may not be read. By default,
 * `located`: a name that is no path may be one of the local Hugging Face cache.
 */
export type ResolvePath = (path: string, thing: HubThing) => string;

/** Whether the operator of a server lets its requests name models that are programs. */
export function serverAllowsPrograms(): boolean {
  return process.env['SAE_EVAL_TORCHSCRIPT'] === '1';
}

/**
 * The function that `validateRequest` and `run` ask for paths. From now on this process reads the
 * files of requests only in the folders of the table, and in those `besides`.
 */
export function openPaths(table: PathTable, besides: readonly string[] = []): ResolvePath {
  if (table === null) {
    confineTo(null);
    return located;
  }
  const folders = table.flatMap((one) =>
    'path' in one ? (one.within ?? [dirname(one.path)]) : [],
  );
  confineTo([...new Set([...folders, ...besides])]);
  const entries = new Map(table.map((one) => [`${one.thing ?? ''} ${one.name}`, one]));
  return (path, thing) => {
    const entry = entries.get(`${thing} ${path}`) ?? entries.get(` ${path}`);
    if (entry === undefined)
      throw new SaeEvalError(
        'path-outside-roots',
        `'${path}' is not below a folder the server may read.`,
      );
    if ('error' in entry) throw SaeEvalError.fromJSON(entry.error as SerializedError);
    return entry.path;
  };
}

/** The text of a regular expression that finds a text. */
const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** A text with the request's paths in place of real ones, which stay private. */
function hiddenIn(text: string, table: NonNullable<PathTable>): string {
  const found = table.flatMap((one) => ('path' in one ? [one] : []));
  const known = found.filter(({ path, name }) => path !== name);
  // Longer paths first: a file before its folder.
  known.sort((a, b) => b.path.length - a.path.length);
  const named = known.reduce((result, { path, name }) => result.replaceAll(path, name), text);
  // A file beside them is named as from the folder that may be read.
  const folders = [...new Set(found.flatMap(({ within = [] }) => within))].filter(
    (folder) => folder !== sep,
  );
  folders.sort((a, b) => b.length - a.length);
  return folders.reduce(
    (result, folder) =>
      result.replaceAll(
        new RegExp(`(?<![\\w./-])${literally(folder)}(?:/|(?![\\w.-]))`, 'g'),
        (all) => (all.endsWith(sep) ? '' : '.'),
      ),
    named,
  );
}

/** An error with the request's paths in place of real ones, which stay private. */
export function hidePaths(error: SaeEvalError, table: PathTable): SaeEvalError {
  if (table === null) return error;
  return new SaeEvalError(error.code, hiddenIn(error.message, table), {
    fields: error.fields.map(({ path, message }) => ({
      path,
      message: hiddenIn(message, table),
    })),
    cause: error,
  });
}
