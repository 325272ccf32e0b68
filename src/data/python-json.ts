/**
 * Reads JSON as Python's `json.loads` does: with `NaN`, `Infinity` and `-Infinity`, which its
 * `json.dumps` writes for missing and infinite numbers.
 */

/** Beginning of a string, or a constant of Python. */
const token = /"|-?Infinity|NaN/g;
const stringEnd = /\\.|"/gs;

/** The text with `null` in place of Python's constants, those inside strings left alone. */
function withoutConstants(text: string): string {
  const parts: string[] = [];
  let from = 0;
  token.lastIndex = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    if (found[0] !== '"') {
      parts.push(text.slice(from, found.index), 'null');
      from = token.lastIndex;
      continue;
    }
    stringEnd.lastIndex = token.lastIndex;
    let end = stringEnd.exec(text);
    while (end !== null && end[0] !== '"') end = stringEnd.exec(text);
    if (end === null) break;
    token.lastIndex = stringEnd.lastIndex;
  }
  parts.push(text.slice(from));
  return parts.join('');
}

/**
 * Value of a JSON text. Python's constants become null, since no field of text or token ids holds
 * them.
 * @throws SyntaxError if Python's `json.loads` would refuse the text too.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (!/NaN|Infinity/.test(text)) throw thrown;
    return JSON.parse(withoutConstants(text));
  }
}
