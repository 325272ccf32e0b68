/** `compare --fail-if`: `KLDivPerToken worse`, for one SAE `TopK.KLDivPerToken worse by 0.01`. */
import { SaeEvalError } from '../errors.js';
import { scalarFieldsOf } from '../metrics/table.js';
import type { ScalarField } from '../metrics/metric.js';
import { didYouMean } from '../nearest-name.js';
import type { RunComparison, RunDifference } from '../schema/run-comparison.js';

export interface WorseGate {
  /** As it was typed. */
  text: string;
  /** Label of the SAE in the base; null for any. */
  label: string | null;
  field: ScalarField;
  /** Margin by which it may be worse: a difference, or a part of the base's mean. */
  margin: { value: number; isPart: boolean };
}

const example = "'KLDivPerToken worse', 'KLDivPerToken worse by 2%', 'TopK.NormMSE worse by 0.01'";
const wrong = (text: string, message: string): SaeEvalError =>
  new SaeEvalError('request-invalid', `--fail-if '${text}': ${message}`);

/** A gate from its text. @throws SaeEvalError `request-invalid`. */
export function parseWorseGate(text: string): WorseGate {
  const [, left, amount, percent] =
    /^\s*(\S.*?)\s+worse(?:\s+by\s+([\d.eE+-]+)\s*(%?))?\s*$/s.exec(text) ?? [];
  if (left === undefined) throw wrong(text, `expected METRIC worse: ${example}`);
  const [, label = null, name] = /^(?:(.+)\.)?([^.]+)$/s.exec(left)!;
  const fields = scalarFieldsOf('strict').filter(
    ({ interval, better }) => interval === true && better !== 'neither',
  );
  const known = fields.map(({ field }) => field);
  const field = fields.find((one) => one.field === name);
  if (field === undefined)
    throw wrong(
      text,
      `'${name}' is no metric of strict with an interval and a direction` +
        (didYouMean(name!, known) || `; expected one of ${known.join(', ')}`),
    );
  const value = amount === undefined ? 0 : Number(amount);
  if (!Number.isFinite(value) || value < 0)
    throw wrong(text, `expected a number of at least 0 after 'by', found '${amount}'`);
  const margin = percent === '%' ? { value: value / 100, isPart: true } : { value, isPart: false };
  return { text, label: label === '*' ? null : label, field, margin };
}

/** Whether the whole interval of a difference lies beyond what it may be worse by. */
function isWorse({ ci95, base }: RunDifference, { field, margin }: WorseGate): boolean {
  const limit = margin.isPart ? margin.value * Math.abs(base) : margin.value;
  const [low, high] = ci95!;
  return field.better === 'lower' ? low > limit : high < -limit;
}

/**
 * Outcome of a gate on a comparison.
 * @returns a line for each difference that is worse; `open` if it had no interval to look at.
 */
export function checkWorse(
  gate: WorseGate,
  { runs }: RunComparison,
): { fired: boolean; open: boolean; lines: string[] } {
  const found = runs.flatMap(({ name, differences }) =>
    differences
      .filter(
        ({ metric, sae, ci95 }) =>
          metric === gate.field.field &&
          (gate.label === null || gate.label === sae) &&
          ci95 !== null,
      )
      .map((one) => ({ name, ...one })),
  );
  if (found.length === 0)
    return {
      fired: false,
      open: true,
      lines: [
        `--fail-if '${gate.text}': there is no such difference with an interval (at least 20 ` +
          'sequences, and the metric in both runs).',
      ],
    };
  const worse = found.filter((one) => isWorse(one, gate));
  return {
    fired: worse.length > 0,
    open: false,
    lines: worse.map(
      ({ name, metric, otherSae, difference, ci95 }) =>
        `--fail-if '${gate.text}': ${name}: ${metric} of ${otherSae} is worse by ` +
        `${cite(Math.abs(difference))} (95 % interval of the difference ` +
        `[${cite(ci95![0])}, ${cite(ci95![1])}]).`,
    ),
  };
}

const cite = (value: number): string => String(Number(value.toPrecision(4)));
