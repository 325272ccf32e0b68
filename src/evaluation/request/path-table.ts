/**
 * Paths of a request as the file system knows them. A server decides which paths may be read and
 * hands its decisions to the process that reads, as data: a request's path is either a path of the
 * file system or an error.
 */
import { z } from 'zod';
import { SaeEvalError, type SerializedError } from '../../errors.js';

export const serializedErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  fields: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/**
 * Path of the file system for each path of a request, or the error of it. Null: any path may be
 * read as it stands (the command line).
 */
export const pathTableSchema = z
  .array(
    z.union([
      z.object({ name: z.string(), path: z.string() }),
      z.object({ name: z.string(), error: serializedErrorSchema }),
    ]),
  )
  .nullable();
export type PathTable = z.infer<typeof pathTableSchema>;

/** Whether the operator of a server lets its requests name models that are programs. */
export function serverAllowsPrograms(): boolean {
  return process.env['SAE_EVAL_TORCHSCRIPT'] === '1';
}

/** The function that `validateRequest` and `run` ask for paths. */
export function pathResolver(table: PathTable): (path: string) => string {
  if (table === null) return (path) => path;
  const entries = new Map(table.map((entry) => [entry.name, entry]));
  return (path) => {
    const entry = entries.get(path);
    if (entry === undefined)
      throw new SaeEvalError(
        'path-outside-roots',
        `'${path}' is not below a folder the server may read.`,
      );
    if ('error' in entry) throw SaeEvalError.fromJSON(entry.error as SerializedError);
    return entry.path;
  };
}
