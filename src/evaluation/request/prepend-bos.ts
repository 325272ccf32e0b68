/** Whether samples begin with a BOS: one value for a request, since its SAEs share the tokens. */
import type { SaeDescription } from '../../sae/description.js';
import type { ResolvedRequest } from '../../schema/index.js';
import type { Problems } from './problems.js';

/** The value of a request; undefined for the tokenizer's own way. */
export function choosePrependBos(
  { dataset, protocol }: Pick<ResolvedRequest, 'dataset' | 'protocol'>,
  saes: readonly { label: string; description: SaeDescription }[],
  problems: Problems,
): boolean | undefined {
  if (dataset.prependBos !== undefined) return dataset.prependBos;
  // Token ids in a data set are somebody's decision already.
  if (dataset.tokensField !== undefined || protocol.every((one) => one === 'reference'))
    return undefined;
  const saying = (value: boolean): string[] =>
    saes
      .filter(({ description }) => description.prependBos === value)
      .map(({ label }) => `'${label}'`);
  const [withBos, without] = [saying(true), saying(false)];
  if (withBos.length > 0 && without.length > 0)
    problems.add(
      'request-invalid',
      'dataset.prependBos',
      `the files of ${withBos.slice(0, 4).join(', ')} say that each context began with BOS, ` +
        `those of ${without.slice(0, 4).join(', ')} that it did not: give true or false`,
    );
  return withBos.length > 0 ? true : without.length > 0 ? false : undefined;
}
