/** `--set path=value`: one field of a request, given on the command line. */
import { z } from 'zod';
import { SaeEvalError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { requestFields } from '../schema/index.js';

const wrong = (setting: string, message: string): SaeEvalError =>
  new SaeEvalError('request-invalid', `--set ${setting}: ${message}`);

/** The schema below `optional()` and `default()`. */
function bare(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault
    ? bare(schema.unwrap())
    : schema;
}

/** The schema of a part; undefined if a request says nothing about it. */
function childOf(schema: unknown, part: string): unknown {
  if (schema instanceof z.ZodObject) return bare((schema.shape as Record<string, unknown>)[part]);
  return schema instanceof z.ZodArray ? bare(schema.element) : undefined;
}

/** The value as JSON, or as the text it is. */
function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

interface Step {
  /** What the message calls this part: `saes.0`. */
  path: string;
  part: string;
}

/** Parts of `saes.0.k` or `saes[0].k`. */
function stepsOf(path: string): Step[] {
  const parts = path.replace(/\[([^\]]*)\]/g, '.$1').split('.');
  return parts.map((part, i) => ({ part, path: parts.slice(0, i + 1).join('.') }));
}

/** Indices of a list that a part names. */
function indicesOf(list: readonly unknown[], { path, part }: Step, setting: string): number[] {
  if (part === '*') return [...list.keys()];
  const index = /^\d+$/.test(part) ? Number(part) : -1;
  if (index >= 0 && index < list.length) return [index];
  const there =
    list.length === 0 ? 'an empty list' : list.length === 1 ? 'only 0' : `0…${list.length - 1}`;
  throw wrong(setting, `'${path}': expected an index of the list (${there}) or *, found ${part}`);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const holdsFields = (schema: unknown): boolean =>
  [z.ZodObject, z.ZodRecord, z.ZodUnion].some((type) => schema instanceof type);

function setAt(
  holder: unknown,
  schema: unknown,
  [step, ...rest]: readonly [Step, ...Step[]],
  { value, setting }: { value: unknown; setting: string },
): unknown {
  const { part, path } = step;
  const next = (inner: unknown): unknown =>
    rest.length === 0
      ? value
      : setAt(inner, childOf(schema, part), rest as [Step, ...Step[]], { value, setting });
  if (Array.isArray(holder)) {
    const changed: unknown[] = [...(holder as unknown[])];
    for (const index of indicesOf(changed, step, setting)) changed[index] = next(changed[index]);
    return changed;
  }
  if (schema instanceof z.ZodObject) {
    const known = Object.keys(schema.shape);
    if (!known.includes(part))
      throw wrong(setting, `'${path}' is not a field of a request${didYouMean(part, known)}`);
  }
  // A part that is not there yet may be made if a request can have it.
  const inside = holder === undefined && holdsFields(schema) ? {} : holder;
  if (!isObject(inside)) {
    const above = path.split('.').slice(0, -1).join('.');
    const found = holder === undefined ? 'nothing there' : JSON.stringify(holder).slice(0, 60);
    throw wrong(setting, `'${above}' holds no fields: found ${found}`);
  }
  const inner = Object.hasOwn(inside, part) ? inside[part] : undefined;
  const changed = next(inner);
  const others = Object.entries(inside).filter(([name]) => name !== part);
  return Object.fromEntries(changed === null ? others : [...others, [part, changed]]);
}

/**
 * The request with one setting of the form `path=value`. The value is JSON, else a text; `null`
 * removes the field. `*` stands for every item of a list.
 * @throws SaeEvalError `request-invalid` naming the part of the path that does not exist.
 */
export function setField(request: unknown, setting: string): unknown {
  const at = setting.indexOf('=');
  const path = setting.slice(0, Math.max(at, 0)).trim();
  if (path === '')
    throw wrong(setting, 'expected a path, = and a value, such as saes.0.k=32 or name=first');
  const steps = stepsOf(path);
  const empty = steps.find(({ part }) => part === '' || part === '__proto__');
  if (empty !== undefined)
    throw wrong(setting, `expected names and numbers between dots, found '${path}'`);
  return setAt(request, requestFields, steps as [Step, ...Step[]], {
    value: valueOf(setting.slice(at + 1)),
    setting,
  });
}
