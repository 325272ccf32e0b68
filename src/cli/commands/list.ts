/** `sae-eval list`: the runs whose reports lie below a folder, newest first. */
import CliTable from 'cli-table3';
import { listRuns, type StoredRun } from '../stored-runs.js';
import { shownJson, shownOnOneLine } from '../../shown-text.js';
import { say } from '../say.js';

/** `0.12`, or `0.12…0.3` for several SAEs. */
function range(values: readonly (number | null)[]): string {
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return 'n/a';
  const [least, most] = [Math.min(...present), Math.max(...present)].map((value) =>
    String(Number(value.toPrecision(4))),
  );
  return least === most ? least! : `${least}…${most}`;
}

/** Time in the zone of this machine, to the minute. */
function localTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(two).join('-');
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

const mostLabels = 3;

function shortLabels(labels: readonly string[]): string {
  const shown = labels.slice(0, mostLabels).join(', ');
  return labels.length > mostLabels ? `${shown}, +${labels.length - mostLabels}` : shown;
}

function tableOf(runs: readonly StoredRun[]): string {
  const table = new CliTable({
    head: ['run', 'name', 'when', 'model', 'SAEs', 'KL/token', 'L0', 'status'],
    style: { head: [], border: [], compact: true },
  });
  for (const { path, name, createdAt, model, saes, status } of runs)
    table.push(
      [
        path,
        name ?? '',
        localTime(createdAt),
        model.split('/').at(-1)!,
        shortLabels(saes.map(({ label }) => label)),
        range(saes.map(({ klPerToken }) => klPerToken)),
        range(saes.map(({ l0 }) => l0)),
        status,
      ].map(shownOnOneLine),
    );
  return table.toString();
}

export async function list(folder: string, { json = false }: { json?: boolean }): Promise<void> {
  const { runs, damaged } = await listRuns(folder);
  for (const { message } of damaged) say(`sae-eval: left out: ${message}`);
  if (json) process.stdout.write(`${shownJson(runs)}\n`);
  else if (runs.length > 0) process.stdout.write(`${tableOf(runs)}\n`);
  else say(`There is no report.json below ${folder}.`);
}
