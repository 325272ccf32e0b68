/**
 * Files that are not what their name promises because a download went wrong: the pointer that Git
 * LFS leaves for a file that it did not fetch (github.com/git-lfs/git-lfs, docs/spec.md), those of
 * git-annex and git-xet, and the page or message that a server sent in place of the file.
 */
import { FileBytes } from './file-bytes.js';

/** Number of bytes at the beginning of a file that tell what it is. */
const headBytes = 1024;

interface Mistake {
  begins: RegExp;
  is(found: RegExpExecArray): string;
}

const mistakes: readonly Mistake[] = [
  {
    begins: /^version https?:\/\/(?:git-lfs|hawser)\.github\.com\/spec\/v\d+(?:[^]*?\nsize (\d+))?/,
    is: ([, size]) =>
      `this is a Git LFS pointer: the real file${size === undefined ? '' : ` of ${size} bytes`} ` +
      'was not fetched. Run `git lfs pull` in the repository it was cloned from, or download the ' +
      'file itself',
  },
  {
    begins: /^# xet version \d/,
    is: () =>
      'this is a git-xet pointer: the real file was not fetched. Install git-xet and run ' +
      '`git xet checkout`, or download the file itself',
  },
  {
    begins: /^\/annex\/objects\//,
    is: () =>
      'this is a git-annex pointer: the real file was not fetched. Run `git annex get` on it, or ' +
      'download the file itself',
  },
  {
    begins: /^(?:<\?xml[^>]*>\s*)?(?:<!--[^]*?-->\s*)*<(?:!doctype html|html|head|body)\b/i,
    is: () =>
      'this is an HTML page, which a server sent in place of the file: download the file itself ' +
      '(on a hub the link has /resolve/, not /blob/; a private file needs a login)',
  },
  {
    begins: /^(?:<\?xml[^>]*>\s*)?<Error>\s*<Code>(\w{1,40})/,
    is: ([, code]) =>
      `this is a server’s error message (${code}), sent in place of the file: download the file ` +
      'again',
  },
  {
    begins: new RegExp(
      '^(?:Entry not found|Repository not found|Invalid username or password|404: Not Found|' +
        'Not Found\\s*$|Access to (?:model|dataset) \\S{1,200} is restricted)',
    ),
    is: () =>
      'this is a server’s error message, sent in place of the file: download the file again (a ' +
      'private or gated file needs a login)',
  },
];

/**
 * What a file with this beginning (or with more) is instead of what was expected, as a sentence
 * without its end: `this is a Git LFS pointer: …`. Null if it is none of the known mistakes.
 */
export function mistakenContent(content: Uint8Array | string): string | null {
  const text = (
    typeof content === 'string'
      ? content.slice(0, headBytes)
      : new TextDecoder('utf-8').decode(content.subarray(0, headBytes))
  ).trimStart();
  for (const { begins, is } of mistakes) {
    const found = begins.exec(text);
    if (found !== null) return is(found);
  }
  return null;
}

/** As {@link mistakenContent}, of a file; null too if the file cannot be read. */
export function mistakenFile(path: string): string | null {
  try {
    return FileBytes.with(path, (file) =>
      mistakenContent(file.read(0, Math.min(file.size, headBytes))),
    );
  } catch {
    return null;
  }
}
