/** Identity of a run, by all that decides its numbers and no path: for plans and who joins them. */
import { withoutAnnotations, type ResolvedRequest } from '../../schema/index.js';
import { SaeEvalError } from '../../errors.js';
import { packageVersion } from '../../version.js';
import { describedSaes, type CheckedInputs } from '../run/inputs.js';
import { digestOf, type ContentIdentity, type ShardPlan } from './plan.js';

/** The request without paths and without what it is called. */
function withoutPaths(request: ResolvedRequest): unknown {
  const { model: _, dataset, saes, device: __, ...rest } = withoutAnnotations(request);
  const { path: ___, ...text } = dataset;
  return { ...rest, dataset: text, saes: saes.map(({ checkpoint: ____, ...sae }) => sae) };
}

/** Names and places of files in descriptions; everything else in them decides. */
const places = new Set(['configPath', 'notes', 'prefixNotes', 'checkpoint']);

/** The files as a plan keeps them. */
export function contentIdentities({ files }: Pick<CheckedInputs, 'files'>): ContentIdentity[] {
  return files.listing.map(({ path, use, bytes, sha256, sampled }) => ({
    name: path,
    use,
    bytes,
    digest: (sha256 ?? sampled)!,
  }));
}

/** Digest of the request and of its files' content. */
export function inputsDigest(inputs: CheckedInputs): string {
  const { validated } = inputs;
  const described = JSON.parse(
    JSON.stringify(describedSaes(validated), (key, value: unknown) =>
      places.has(key) ? undefined : value,
    ),
  ) as unknown;
  return digestOf([
    packageVersion,
    withoutPaths(validated.request),
    described,
    // The rights of a program on a host are the host's own affair; whether the model is one is not.
    validated.model.script !== undefined,
    contentIdentities(inputs).map(({ use, bytes, digest }) => [use, bytes, digest]),
  ]);
}

/**
 * Checks that inputs are those of a plan.
 * @throws SaeEvalError `request-invalid` if the request is another one; `input-changed` if a file
 *   is.
 */
export function checkJoins(inputs: CheckedInputs, plan: ShardPlan, folder: string): void {
  if (inputsDigest(inputs) === plan.inputs) return;
  const own = contentIdentities(inputs);
  const isOther = (file: ContentIdentity, index: number): boolean => {
    const planned = plan.files[index];
    return (
      planned?.digest !== file.digest || planned.bytes !== file.bytes || planned.use !== file.use
    );
  };
  const changed = own.find(isOther);
  const isSameRequest =
    digestOf(withoutPaths(inputs.validated.request)) === digestOf(withoutPaths(plan.request));
  if (isSameRequest && (changed !== undefined || own.length !== plan.files.length))
    throw new SaeEvalError(
      'input-changed',
      `${changed?.name ?? 'The set of files'} is not what it was when the plan in ${folder} was ` +
        'made. Use the files of the plan, or another folder for a new run.',
    );
  throw new SaeEvalError(
    'request-invalid',
    `--out: ${folder} holds the plan of another request, or of another version of sae-eval. ` +
      'Choose another folder, or remove what is there.',
  );
}
