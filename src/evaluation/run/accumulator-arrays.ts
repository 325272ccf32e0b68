/** An accumulator as named arrays of a file, and back. */
import { Accumulator } from '../../metrics/accumulator.js';
import type { NamedArray } from './array-file.js';

/** Views of the accumulator: they hold until something is added to it. */
export function arraysOf(accumulator: Accumulator): Map<string, NamedArray> {
  const { batchSizes, columns, vectors, tallies } = accumulator.state();
  const arrays = new Map<string, NamedArray>();
  const add = (name: string, data: Float64Array): void =>
    void arrays.set(name, { shape: [data.length], data });
  add('batchSizes', Float64Array.from(batchSizes));
  for (const [name, values] of columns) add(`column|${name}`, values);
  for (const [name, parts] of vectors)
    for (const [index, part] of parts.entries()) add(`vector|${index}|${name}`, part);
  for (const [owner, state] of tallies ?? [])
    for (const [name, data] of state) add(`tally|${name}|${owner}`, data);
  return arrays;
}

/** The accumulator that gave the arrays. */
export function accumulatorOf(arrays: ReadonlyMap<string, NamedArray>): Accumulator {
  const columns = new Map<string, Float64Array>();
  const vectors = new Map<string, Float64Array[]>();
  const tallies = new Map<string, Map<string, Float64Array>>();
  for (const [name, { data }] of arrays) {
    const [, column] = /^column\|(.*)$/s.exec(name) ?? [];
    const [, vector] = /^vector\|\d+\|(.*)$/s.exec(name) ?? [];
    if (column !== undefined) columns.set(column, data);
    if (vector !== undefined) vectors.set(vector, [...(vectors.get(vector) ?? []), data]);
    const [, part, owner] = /^tally\|([^|]*)\|(.*)$/s.exec(name) ?? [];
    if (part !== undefined && owner !== undefined)
      tallies.set(owner, (tallies.get(owner) ?? new Map<string, Float64Array>()).set(part, data));
  }
  const batchSizes = Array.from(arrays.get('batchSizes')?.data ?? []);
  return Accumulator.restore({ batchSizes, columns, vectors, tallies });
}
