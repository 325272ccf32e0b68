/** `sae-eval saes`: the SAEs that lie below a folder or in a repository of the local cache. */
import CliTable from 'cli-table3';
import { listSaes, type ListedSae } from '../../inspect/list-saes.js';
import { shownJson, shownOnOneLine } from '../../shown-text.js';
import { say } from '../say.js';

/** A hook point, or the first and last of several. */
function shortened(hooks: string): string {
  const names = hooks.split(', ');
  return names.length < 3 ? hooks : `${names[0]} … ${names.at(-1)}`;
}

function tableOf(saes: readonly ListedSae[]): string {
  const table = new CliTable({
    head: ['SAE', 'format', 'kind', 'hook', 'd', 'm', 'k', 'published L0'],
    style: { head: [], border: [], compact: true },
  });
  for (const { path, prefix, format, kind, hook, hookOut, d, m, k, publishedL0 } of saes)
    table.push(
      [
        prefix === null ? path : `${path} (prefix '${prefix}')`,
        format,
        kind ?? 'not told',
        shortened(hook ?? '') + (hookOut === null ? '' : ` → ${shortened(hookOut)}`),
        String(d),
        String(m),
        k === null ? '' : String(k),
        publishedL0 === null ? '' : String(Number(publishedL0.toPrecision(6))),
      ].map(shownOnOneLine),
    );
  return table.toString();
}

/** Most faults that are printed, beside their number. */
const mostFaults = 10;

export async function saes(folder: string, { json = false }: { json?: boolean }): Promise<void> {
  const { saes: found, damaged, others } = await listSaes(folder);
  for (const { message } of damaged.slice(0, mostFaults)) say(`sae-eval: left out: ${message}`);
  if (damaged.length > mostFaults) say(`sae-eval: left out: ${damaged.length - mostFaults} more`);
  if (json) process.stdout.write(`${shownJson(found)}\n`);
  else if (found.length > 0) process.stdout.write(`${tableOf(found)}\n`);
  else
    process.stderr.write(
      `There is no SAE below ${folder}` +
        (others === 0 ? '.\n' : ` (${others} file${others === 1 ? '' : 's'} looked at).\n`),
    );
}
