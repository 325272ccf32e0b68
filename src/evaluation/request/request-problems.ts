/** Faults of a request's fields in words: what was expected and what was found. */
import type { z } from 'zod';

/** An issue as zod hands it to the author of its message. */
export type RawIssue = z.core.$ZodRawIssue;

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  nonoptional: 'a value',
};

function found(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
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
 * Type that one branch of a union expects; null if the type fits and the fault lies deeper.
 */
function branchType([issue]: readonly z.core.$ZodIssue[]): string | null {
  return issue?.code === 'invalid_type' && issue.path.length === 0
    ? (typeNames[issue.expected] ?? issue.expected)
    : null;
}

function unionMessage(branches: readonly (readonly z.core.$ZodIssue[])[], input: unknown): string {
  const deeper = branches.find((branch) => branch.length > 0 && branchType(branch) === null)?.[0];
  return (
    deeper?.message ??
    `expected ${[...new Set(branches.map(branchType))].join(' or ')}, found ${found(input)}`
  );
}

/** The message of an issue; undefined leaves zod's own. */
export function requestProblem(issue: RawIssue): string | undefined {
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
        : `${expected}, found ${found(issue.input)}`;
    }
    case 'invalid_union':
      return unionMessage(issue.errors, issue.input);
    default:
      return undefined;
  }
}
