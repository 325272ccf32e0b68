/** The message of a fault that zod finds: what was expected and what was found. */
import type { z } from 'zod';
import { didYouMean } from '../nearest-name.js';

/** An issue as zod hands it to the author of its message. */
export type RawIssue = z.core.$ZodRawIssue;

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
  nonoptional: 'a value',
};

/** Characters of a value that a message shows. */
const mostShown = 60;
/** Nesting that a message shows: what is nested deeper could exhaust the stack. */
const deepestShown = 4;

/** JSON of a value, without what a message has no room for. */
function brief(value: unknown, depth = 0): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, mostShown + 1));
  if (typeof value !== 'object' || value === null) return String(value);
  const isList = Array.isArray(value);
  const [open, close] = isList ? '[]' : '{}';
  if (depth === deepestShown) return `${open}…${close}`;
  const parts = isList
    ? value.slice(0, mostShown).map((one) => brief(one, depth + 1))
    : Object.entries(value)
        .slice(0, mostShown)
        .map(([name, one]) => `${JSON.stringify(name)}:${brief(one, depth + 1)}`);
  return `${open}${parts.join(',')}${close}`;
}

export function found(value: unknown): string {
  const text = brief(value);
  return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
}

function bound(
  issue: { origin: string; input?: unknown },
  word: 'least' | 'most',
  limit: number | bigint,
): string {
  const unit =
    issue.origin === 'array'
      ? limit === 1
        ? ' item'
        : ' items'
      : issue.origin === 'string'
        ? limit === 1
          ? ' character'
          : ' characters'
        : '';
  return `expected at ${word} ${limit}${unit}, found ${found(issue.input)}`;
}

/**
 * What one branch of a union expects; null if the value is of its type and the fault lies deeper.
 */
function branchType([issue]: readonly z.core.$ZodIssue[], input: unknown): string | null {
  if (issue === undefined || issue.path.length > 0) return null;
  if (issue.code === 'invalid_type') return typeNames[issue.expected] ?? issue.expected;
  return issue.code === 'invalid_value' && typeof input !== 'string'
    ? issue.values.map(String).join(', ')
    : null;
}

function unionMessage(branches: readonly (readonly z.core.$ZodIssue[])[], input: unknown): string {
  const deeper = branches.find((branch) => branchType(branch, input) === null)?.[0];
  if (deeper === undefined) {
    const types = new Set(branches.map((branch) => branchType(branch, input)));
    const expected = `expected ${[...types].join(' or ')}`;
    return input === undefined ? `is missing; ${expected}` : `${expected}, found ${found(input)}`;
  }
  const place = deeper.path.map(String).join('.');
  return place === '' ? deeper.message : `${place} ${deeper.message}`;
}

function meant({ values, input }: { values: readonly unknown[]; input?: unknown }): string {
  return typeof input === 'string' ? didYouMean(input, values.map(String)) : '';
}

/** The message of an issue; undefined leaves zod's own. */
export function issueMessage(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const expected = typeNames[issue.expected] ?? issue.expected;
      return issue.input === undefined
        ? `is missing; expected ${expected}`
        : `expected ${expected}, found ${found(issue.input)}`;
    }
    case 'too_small':
      return issue.inclusive === false
        ? `expected more than ${issue.minimum}, found ${found(issue.input)}`
        : bound(issue, 'least', issue.minimum);
    case 'too_big':
      return bound(issue, 'most', issue.maximum);
    case 'invalid_value': {
      const expected =
        'expected ' +
        `${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
      return issue.input === undefined
        ? `is missing; ${expected}`
        : `${expected}, found ${found(issue.input)}${meant(issue)}`;
    }
    case 'invalid_key':
      return `has a name that does not fit: ${issue.issues[0]?.message ?? 'expected another one'}`;
    case 'invalid_union':
      return unionMessage(issue.errors, issue.input);
    default:
      return undefined;
  }
}
