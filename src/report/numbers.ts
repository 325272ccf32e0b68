/**
 * Numbers as text: enough digits to compare, the typographic minus, and `n/a` for missing values.
 */
import type { Estimate } from '../schema/index.js';

export const notAvailable = 'n/a';

/** A number with four significant digits; exponents only far from 1. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return notAvailable;
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e6 || size < 1e-4
      ? value.toExponential(2)
      : Number.isInteger(value)
        ? String(value)
        : value.toPrecision(Math.max(4, Math.ceil(Math.log10(size + 1)) + 1));
  return text.replace(/-/g, '−');
}

export const percent = (share: number): string => `${number(Number((100 * share).toFixed(2)))} %`;

/** `[low, high]`, or an empty text without an interval. */
export function interval(ci95: readonly [number, number] | null | undefined): string {
  return ci95 === null || ci95 === undefined ? '' : `[${number(ci95[0])}, ${number(ci95[1])}]`;
}

export function estimate(value: Estimate | null | undefined): string {
  if (value === null || value === undefined) return notAvailable;
  const around = interval(value.ci95);
  return around === '' ? number(value.mean) : `${number(value.mean)} ${around}`;
}
