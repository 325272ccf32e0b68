/**
 * Paths of a request as the file system knows them. A server decides which paths may be read and
 * hands its decisions to the process that reads, as data: a request's path is either a path of the
 * file system or an error.
 */
import { z } from 'zod';
import { SaeEvalError, type SerializedError } from '../../errors.js';
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
    z.union([entry.extend({ path: z.string() }), entry.extend({ error: serializedErrorSchema })]),
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

/** The function that `validateRequest` and `run` ask for paths. */
export function pathResolver(table: PathTable): ResolvePath {
  if (table === null) return located;
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
