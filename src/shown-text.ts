/**
 * Text of others as people may be shown it. Control characters could steer a terminal; direction
 * characters could make a text read as another one; lone surrogates are no text at all.
 */

/** Controls, formats, separators of lines and paragraphs, surrogates; joiners of letters stay. */
const unseen = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text without characters that are obeyed instead of shown; lines and tabs stay. */
export function shown(text: string): string {
  return text.replace(unseen, (one) => (one === '\n' || one === '\t' ? one : '�'));
}

/** The same on one line. */
export function shownOnOneLine(text: string): string {
  return text.replace(unseen, '�');
}

/** A value as JSON of the same meaning in which those characters stand as escapes. */
export function shownJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(unseen, (one) =>
    one === '\n'
      ? one
      : Array.from({ length: one.length }, (_, at) => {
          return `\\u${one.charCodeAt(at).toString(16).padStart(4, '0')}`;
        }).join(''),
  );
}
