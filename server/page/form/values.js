/** Values of a request as texts of controls, and back. */

/** Texts separated by commas, of either width. */
const parts = (text) =>
  text
    .split(/[,，、]/)
    .map((part) => part.trim())
    .filter(Boolean);

const number = (text) => (text.trim() === '' ? NaN : Number(text));

const oneOrMany = (text) => {
  const numbers = parts(text).map(number);
  return numbers.length === 1 ? numbers[0] : numbers;
};

const list = (text) => (text.startsWith('[') ? JSON.parse(text) : parts(text));

function pairs(text) {
  if (text.startsWith('{')) return JSON.parse(text);
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const [, name, value] = /^([^:：=]*)[:：=]?(.*)$/.exec(line);
        return [name.trim(), value.trim()];
      }),
  );
}

/** A word, or a list of numbers: one number is a list too. */
const prefixes = (text) => (/^\D+$/.test(text) ? text : parts(text).map(number));

/** `specials`, a list of ids, or an object as JSON. */
function exclude(text) {
  if (/^[{[]/.test(text)) return JSON.parse(text);
  return /^[\d\s,，、]+$/.test(text) ? parts(text).map(Number) : text;
}

/** Labelled data sets: a path in each line, or a list as JSON. */
function probes(text) {
  if (text.startsWith('[')) return JSON.parse(text);
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .map((path) => ({ path }));
}

/** A text that cannot be a value of its field. */
export class ValueError extends Error {
  constructor(expected, found) {
    super(`${expected} ${found}`);
    this.expected = expected;
    this.found = found;
  }
}

const checks = {
  whole: (value) => Number.isSafeInteger(value),
  real: (value) => Number.isFinite(value),
  wholes: (value) => [value].flat().every(Number.isSafeInteger) && [value].flat().length > 0,
  prefixes: (value) => typeof value === 'string' || value.every(Number.isSafeInteger),
  reals: (value) => [value].flat().every(Number.isFinite) && [value].flat().length > 0,
};

/**
 * The value of a text that is not empty.
 *
 * @throws ValueError `expected` names the type
 */
export function valueOf({ type }, text) {
  if (Array.isArray(text)) return text;
  try {
    const value = {
      whole: number,
      real: number,
      wholes: oneOrMany,
      reals: oneOrMany,
      bool: (one) => one === 'true',
      words: list,
      pairs,
      exclude,
      prefixes,
      probes,
    }[type]?.(text.trim());
    if (value === undefined) return type === 'long' ? text : text.trim();
    if (checks[type]?.(value) === false) throw new ValueError(type, text.trim());
    return value;
  } catch (error) {
    throw error instanceof ValueError ? error : new ValueError(type, text.trim());
  }
}

/** Whether lines `name: value` could not be read back. */
const isOdd = ([name, text]) => /[:：=\n]|^\{/.test(name) || /\n/.test(text);

/** The text of a value, as a control shows it; JSON if its short form could not be read back. */
export function textOf({ type }, value) {
  if (value === undefined || value === null) return '';
  if (type === 'choices') return [value].flat();
  if (type === 'pairs' && !Object.entries(value).some(isOdd))
    return Object.entries(value)
      .map(([name, text]) => `${name}: ${text}`)
      .join('\n');
  if (Array.isArray(value) && value.every((one) => !/[,，、[]|^object/.test(one)))
    return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export const isEmpty = (text) =>
  text === undefined || (Array.isArray(text) ? text.length === 0 : text.trim() === '');
