/** Costs of a run in shards, for a terminal. */
import CliTable from 'cli-table3';
import type { RunSizes } from '../evaluation/run/plan/sizes.js';

/** Bytes with a unit. */
function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`;
}

/** A time with a unit. */
function timeText(seconds: number): string {
  if (seconds < 90) return `${seconds.toPrecision(2)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Numbers of devices that the table has a row for. */
const devices = [1, 2, 4, 8, 16, 64, 256];

/** Seconds of a shard between which its size is no matter. */
const shortest = 20;
const longest = 1800;

function advice({ shardSeconds, longestSeconds, shardSamples, shards }: RunSizes): string | null {
  const fitting = (seconds: number, each: number): number =>
    Math.max(1, Math.round((shardSamples * seconds) / each));
  if (shards > 1 && shardSeconds < shortest) {
    const more = fitting(4 * shortest, shardSeconds);
    return `A shard takes little time: --shard-samples ${more} gives fewer files.`;
  }
  if (longestSeconds > longest)
    return (
      `A shard takes long, and a lost one is computed again: --shard-samples ` +
      `${fitting(longest / 2, longestSeconds)} gives smaller ones.`
    );
  return null;
}

/** The rate at which weights are read that do not fit. */
const reading = (rate: number | null): string =>
  rate === null
    ? ''
    : `, or by the reading of weights, ${(rate / 1e9).toPrecision(2)} GB/s as measured now, if ` +
      'that takes longer';

/** Sizes on disk, and the time of a run by its number of devices. */
export function sizesTable(sizes: RunSizes): string {
  const { samples, shards, shardSamples, sampleBytes, shardBytes, tokenBytes } = sizes;
  const table = new CliTable({
    head: ['devices like this', 'shards each', 'time, about'],
    style: { head: [], border: [], compact: true },
    colAligns: ['right', 'right', 'right'],
  });
  for (const count of devices.filter((one) => one === 1 || one <= shards)) {
    const each = Math.ceil(shards / count);
    table.push([
      String(count),
      String(each),
      timeText(Math.max(each * sizes.shardSeconds, sizes.longestSeconds)),
    ]);
  }
  const hint = advice(sizes);
  return [
    `in shards, for at most ${samples} samples: ${shards} ` +
      `${shards === 1 ? 'shard' : 'shards'} of ` +
      `${shardSamples} samples, ${bytesText(sampleBytes)} a sample, ${bytesText(shardBytes)} ` +
      `a shard, ${bytesText(shards * shardBytes)} in all, and ${bytesText(tokenBytes)} of ` +
      'token ids',
    table.toString(),
    `time by three quarters of the matmul rate measured now, ${(sizes.rate / 1e9).toFixed(0)} ` +
      `GFLOP/s${reading(sizes.readRate)}, without loading the model`,
    ...(hint === null ? [] : [hint]),
  ].join('\n');
}
