/** The request of a command line: its file, and the options that change it. */
import { SaeEvalError } from '../errors.js';
import type { RequestFlags } from './options.js';

export interface RequestArguments extends RequestFlags {
  /** File of the request, or `-`. */
  request: string;
}

/** The last item, taken off, if it is not what its option asks for. */
function strayLast(items: string[], fits: (item: string) => boolean): string | undefined {
  const stray = items.filter((item) => !fits(item));
  if (stray.length !== 1) return undefined;
  items.splice(items.indexOf(stray[0]!), 1);
  return stray[0];
}

/**
 * The arguments with the request in its place: an option that takes several values also takes what
 * stands behind it, `--set saes.0.k=32 request.json`.
 * @throws SaeEvalError `request-invalid` without a request.
 */
export function withRequest(
  request: string | undefined,
  { set = [], failIf = [], ...flags }: RequestFlags,
): RequestArguments {
  const [settings, gates] = [[...set], [...failIf]];
  const found =
    request ??
    strayLast(settings, (item) => item.includes('=')) ??
    strayLast(gates, (item) => /[<>=]/.test(item));
  if (found === undefined)
    throw new SaeEvalError(
      'request-invalid',
      'expected a file with the request (JSON or YAML), or - for standard input',
    );
  return { ...flags, request: found, set: settings, failIf: gates };
}
