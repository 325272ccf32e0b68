/** The table of docs/metrics.md. */
import type { Field } from '#src/metrics/metric.js';
import type { Table } from '#src/metrics/table.js';

function row(metric: string, fields: readonly Field[]): string {
  const { field, formula, unit, better } = fields[0]!;
  const under = (protocol: Field['protocol']): string => {
    const found = fields.find((one) => one.protocol === protocol);
    return found === undefined ? '–' : found.interval === true ? 'with interval' : 'yes';
  };
  const yes = (has: (one: Field) => boolean): string => (fields.some(has) ? 'yes' : '–');
  return `| ${[
    `\`${metric}\``,
    `\`${field}\``,
    formula,
    unit ?? '–',
    better === 'neither' ? '–' : better,
    under('reference'),
    under('strict'),
    yes(({ perLayer }) => perLayer === true),
    yes(({ compared }) => compared === true),
  ].join(' | ')} |`;
}

export function metricsDocument(table: Table): string {
  const rows = table.flatMap(({ name, fields }) =>
    [...new Set(fields.map(({ field }) => field))].map((field) =>
      row(
        name,
        fields.filter((one) => one.field === field),
      ),
    ),
  );
  return [
    '| metric | field | formula | unit | better | `reference` | `strict` | per layer | compared |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
