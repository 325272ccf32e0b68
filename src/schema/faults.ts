/** From the issues of zod to fields at fault: the path of each, and a message for people. */
import type { z } from 'zod';
import type { FieldError } from '../errors.js';
import { didYouMean, nearestName } from '../nearest-name.js';
import { issueMessage } from './issue-message.js';

/** Most faults that are told at once. */
const mostFaults = 100;
/** Characters of a path that are told. */
const longestPath = 300;

/** `saes.2.layer` of zod as `saes[2].layer`. */
function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) =>
      typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`,
    )
    .join('')
    .slice(0, longestPath);
}

/** A schema without what stands around it: defaults, transformations, options. */
export function innermost(schema: z.core.$ZodType): z.core.$ZodType {
  let found = schema;
  for (;;) {
    const { def } = (found as z.core.$ZodTypes)._zod;
    if ('innerType' in def) found = def.innerType;
    else if (def.type === 'pipe') found = def.in;
    else return found;
  }
}

const isObject = (schema: z.core.$ZodType): schema is z.core.$ZodObject =>
  schema._zod.def.type === 'object';

/** Fields of the object at a path; empty if the schema has none there. */
function fieldsAt(schema: z.core.$ZodType, [part, ...rest]: readonly PropertyKey[]): string[] {
  const found = innermost(schema) as z.core.$ZodTypes;
  const { def } = found._zod;
  if (def.type === 'union')
    return def.options.flatMap((option) =>
      fieldsAt(option, part === undefined ? [] : [part, ...rest]),
    );
  if (part === undefined) return isObject(found) ? Object.keys(found._zod.def.shape) : [];
  if (def.type === 'array') return fieldsAt(def.element, rest);
  const field = isObject(found) ? found._zod.def.shape[String(part)] : undefined;
  return field === undefined ? [] : fieldsAt(field, rest);
}

/** Full names of fields inside other fields, such as `dataset.seqLen` and `saes[].layer`. */
function nestedFields(schema: z.core.$ZodType): Map<string, string> {
  const nested = new Map<string, string>();
  const found = innermost(schema);
  for (const [name, field] of isObject(found) ? Object.entries(found._zod.def.shape) : []) {
    const value = innermost(field) as z.core.$ZodTypes;
    const isList = value._zod.def.type === 'array';
    const path = isList ? [name, 0] : [name];
    for (const one of fieldsAt(schema, path))
      nested.set(one, `${name}${isList ? '[]' : ''}.${one}`);
  }
  return nested;
}

function unknownField(
  key: string,
  { schema, path, of }: { schema: z.core.$ZodType; path: readonly PropertyKey[]; of: string },
): string {
  const fields = fieldsAt(schema, path);
  const nested = nestedFields(schema);
  const elsewhere =
    nearestName(key, fields) === null && path.length === 0 ? nearestName(key, nested.keys()) : null;
  const meant =
    elsewhere === null ? didYouMean(key, fields) : `; did you mean ${nested.get(elsewhere)!}?`;
  const owner = path.length === 0 ? of : fieldPath(path).replaceAll(/\[\d+\]/g, '[]');
  const list = `fields are ${fields.join(', ')}`;
  return `is not a field of ${owner}${meant === '' ? `; the ${list}` : `${meant} The ${list}`}`;
}

export interface CheckOptions {
  /** The thing that the schema describes; default `a request`. */
  of?: string;
}

export type Checked<T> = { data: T; faults: null } | { data: null; faults: FieldError[] };

/** The value as the schema has it, or the fields at fault. */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
  { of = 'a request' }: CheckOptions = {},
): Checked<z.output<S>> {
  const parsed = schema.safeParse(value, { error: issueMessage });
  if (parsed.success) return { data: parsed.data, faults: null };
  const faults = parsed.error.issues.slice(0, mostFaults).flatMap((issue): FieldError[] => {
    if (issue.code !== 'unrecognized_keys')
      return [{ path: fieldPath(issue.path), message: issue.message }];
    return issue.keys.slice(0, 20).map((key) => ({
      path: fieldPath([...issue.path, key]),
      message: unknownField(key, { schema, path: issue.path, of }),
    }));
  });
  return { data: null, faults };
}
