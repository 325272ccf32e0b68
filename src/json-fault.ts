/** Place and reason of the first fault in a text that is not JSON, for people who write by hand. */

/** A fault: where it stands, and the sentence about it. */
export interface JsonFault {
  /** Index in the text. */
  at: number;
  message: string;
}

type Wanted = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or }' | ', or ]' | 'end';

const space = /[ \t\r\n]*/y;
const token = new RegExp(
  [
    /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/,
    /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/,
    /(?:true|false|null)(?!\w)/,
    /[{}[\],:]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
);

/** What is wanted, in words; `end` needs the name of the text. */
const expected: Record<Exclude<Wanted, 'end'>, string> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  name: 'a name in double quotes',
  'name or }': 'a name in double quotes or }',
  ':': ': after a name',
  ', or }': ', or }',
  ', or ]': ', or ]',
};

function foundAt(text: string, at: number, what: string): string {
  const rest = text.slice(at);
  if (rest === '') return `the end of the ${what}`;
  token.lastIndex = at;
  const [whole] = token.exec(text) ?? [];
  if (whole !== undefined) return whole.length > 30 ? `${whole.slice(0, 30)}…` : whole;
  const word = /^(?:[\w.+-]{1,30}|.)/su.exec(rest)![0];
  return word === '"' ? 'a string without its end' : word;
}

/** Advice on what was probably meant. */
function hint(
  text: string,
  at: number,
  { wanted, what }: { wanted: Wanted; what: string },
): string {
  const rest = text.slice(at);
  if (/^(?:#|\/[/*])/.test(rest))
    return `; JSON has no comments${what === 'file' ? ' (YAML has: name the file .yaml)' : ''}`;
  if (rest.startsWith("'") || /^[\u2018\u2019\u201c\u201d]/.test(rest))
    return '; strings stand in straight double quotes';
  const before = /,\s*$/.test(text.slice(0, at));
  if (before && /^[}\]]/.test(rest)) return '; the comma before it is one too many';
  if (rest.startsWith('"') && wanted.startsWith(', or'))
    return '; probably a comma is missing before it';
  if (/^(?:True|False|None)\b/.test(rest)) return '; JSON has true, false and null';
  return '';
}

/** What may follow a value, by what holds it. */
const after = (open: readonly string[]): Wanted =>
  open.length === 0 ? 'end' : open.at(-1) === '{' ? ', or }' : ', or ]';

/** Whether a token is what is wanted. */
function fits(found: string, wanted: Wanted): boolean {
  switch (wanted) {
    case 'end':
      return false;
    case 'name':
      return found.startsWith('"');
    case 'name or }':
      return found.startsWith('"') || found === '}';
    case ':':
      return found === ':';
    case ', or }':
      return found === ',' || found === '}';
    case ', or ]':
      return found === ',' || found === ']';
    case 'value':
    case 'value or ]':
      return !/^[}\],:]$/.test(found) || (found === ']' && wanted === 'value or ]');
  }
}

/** Line and column of an index, both from 1. */
export function placeIn(text: string, at: number): { line: number; col: number } {
  const before = text.slice(0, at).split('\n');
  return { line: before.length, col: before.at(-1)!.length + 1 };
}

/** The first fault; null if the text is JSON. `what`: the thing that the text is. */
export function jsonFault(
  text: string,
  { what = 'file' }: { what?: string } = {},
): JsonFault | null {
  const open: string[] = [];
  let wanted = 'value' as Wanted;
  for (let at = 0; ;) {
    space.lastIndex = at;
    at += space.exec(text)![0].length;
    if (at === text.length && wanted === 'end') return null;
    token.lastIndex = at;
    const found = token.exec(text)?.[0];
    if (found === undefined || !fits(found, wanted))
      return {
        at,
        message:
          `expected ${wanted === 'end' ? `the end of the ${what}` : expected[wanted]}, found ` +
          foundAt(text, at, what) +
          hint(text, at, { wanted, what }),
      };
    at += found.length;
    if (found === '{' || found === '[') {
      open.push(found);
      wanted = found === '{' ? 'name or }' : 'value or ]';
    } else if (found === '}' || found === ']') {
      open.pop();
      wanted = after(open);
    } else if (found === ',') wanted = open.at(-1) === '{' ? 'name' : 'value';
    else if (found === ':') wanted = 'value';
    else wanted = wanted === 'name' || wanted === 'name or }' ? ':' : after(open);
  }
}
