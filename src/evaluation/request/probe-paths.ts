/** Checks the labelled data sets that a request names, as far as their files can tell. */
import { asSaeEvalError } from '../../errors.js';
import { factsOf } from '../../files/index.js';
import type { ModelConfig } from '../../lm/config.js';
import { missingPath } from '../../missing-path.js';
import type { ResolvedRequest } from '../../schema/index.js';
import type { ResolvePath } from './path-table.js';
import type { Problems } from './problems.js';

/** The paths of the data sets; faults are added to the problems. */
export async function probePaths(
  { probes = [] }: ResolvedRequest,
  {
    model,
    resolvePath,
    problems,
  }: { model: ModelConfig | null; resolvePath: ResolvePath; problems: Problems },
): Promise<string[]> {
  const paths: string[] = [];
  for (const [index, { path: name, seqLen }] of probes.entries()) {
    const found = await problems.at(`probes[${index}].path`, () => {
      const path = resolvePath(name, 'dataset');
      let facts: unknown;
      try {
        facts = factsOf(path);
      } catch (thrown) {
        throw asSaeEvalError(thrown, name);
      }
      if (facts === null) throw missingPath(name, { hub: 'dataset' });
      return path;
    });
    if (found !== null) paths.push(found);
    if (model !== null && seqLen > model.maxPositions)
      problems.add(
        'request-invalid',
        `probes[${index}].seqLen`,
        `expected at most ${model.maxPositions}, the positions of the model, found ${seqLen}`,
      );
  }
  return paths;
}
