/** `sae-eval inspect`: content of checkpoints, their possible kinds, fields they require. */
import CliTable from 'cli-table3';
import { asSaeEvalError, type SaeEvalError } from '../../errors.js';
import { located } from '../../hub-cache.js';
import { describeCheckpoint } from '../../inspect/describe-checkpoint.js';
import { describeFolder, type FoundCheckpoint } from '../../inspect/describe-folder.js';
import { renderDescription } from '../../inspect/render.js';
import { exitCodeOf, printError } from '../exit.js';
import { shown as withoutControls, shownJson, shownOnOneLine } from '../../shown-text.js';
import { say } from '../say.js';

function tableOf(found: readonly FoundCheckpoint[]): string {
  const table = new CliTable({
    head: ['checkpoint', 'layout', 'd', 'm', 'can be', 'must be given'],
    style: { head: [], border: [], compact: true },
  });
  for (const one of found) {
    if ('error' in one) continue;
    const { path, description } = one;
    const { published, format, d, m, candidates, needs } = description;
    table.push(
      [
        path,
        published?.format ?? format,
        String(d ?? ''),
        String(m ?? ''),
        candidates.join(', ') || 'none of the kinds',
        needs.join('; '),
      ].map(shownOnOneLine),
    );
  }
  return table.length === 0 ? '' : `${table.toString()}\n`;
}

/** What is to be printed of one path: its text, and its description as JSON. */
async function inspectOne(typed: string): Promise<{ text: string; json: unknown[] }> {
  const path = located(typed, 'SAE');
  try {
    const description = await describeCheckpoint(path);
    return { text: renderDescription(description), json: [description] };
  } catch (thrown) {
    const found = await describeFolder(path);
    const described = found.flatMap((one) => ('description' in one ? [one.description] : []));
    if (described.length === 0) throw thrown;
    for (const one of found) if ('error' in one) say(`sae-eval: ${one.error.message}`);
    return { text: tableOf(found), json: described };
  }
}

/** One description as an object, several as a list. */
function asJson(descriptions: readonly unknown[], isOne: boolean): string {
  const shown = isOne && descriptions.length === 1 ? descriptions[0] : descriptions;
  return `${shownJson(shown)}\n`;
}

/** Prints every checkpoint that can be read; the exit code tells of those that cannot. */
export async function inspect(
  paths: readonly string[],
  { json = false }: { json?: boolean },
): Promise<void> {
  const described: unknown[] = [];
  const errors: SaeEvalError[] = [];
  for (const [index, path] of paths.entries())
    try {
      const found = await inspectOne(path);
      if (!json) process.stdout.write(withoutControls(`${index === 0 ? '' : '\n'}${found.text}`));
      described.push(...found.json);
    } catch (thrown) {
      errors.push(asSaeEvalError(thrown, path));
    }
  if (json && described.length > 0) process.stdout.write(asJson(described, paths.length === 1));
  for (const error of errors) printError(error);
  const [first] = errors;
  if (first !== undefined) process.exitCode = exitCodeOf(first);
}
