/**
 * The table of coverage: the dictionaries of a registry, by what this project reads of each
 * loader's layout (a fixture is recognized as an SAE) and of its models (their families are
 * registered).
 */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { families } from '#src/lm/families/index.js';
import { multimodalTypes } from '#src/lm/multimodal.js';
import { recognizeAll } from '#src/sae/formats/recognize.js';
import { root } from '../golden/load.js';
import { withTable } from './generated-section.js';

interface Models {
  modelTypes: string[];
  dictionaries: number;
}
interface Loader extends Models {
  loader: string;
  /** Models that version 0.1.0 refused; `modelTypes` are the others. */
  refusedBefore?: Models[];
  fixtures: string[];
  /** Test that compares the fixtures with PyTorch's numbers. */
  test: string;
}
const registry = JSON.parse(readFileSync(`${root}test/golden/coverage/registry.json`, 'utf8')) as {
  source: string;
  dictionaries: number;
  loaders: Loader[];
};

const known = new Set([...families.flatMap(({ modelTypes }) => modelTypes), ...multimodalTypes]);
const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
const count = (value: number): string => value.toLocaleString('en-US');
const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** Reason why a file or folder is not read; null if it is. */
async function refusal(fixture: string): Promise<string | null> {
  if (!existsSync(root + fixture)) return 'no fixture';
  try {
    const [file] = await recognizeAll(root + fixture);
    return file.candidates().length > 0 ? null : 'not recognized';
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
}

const unknownOf = ({ modelTypes }: Models): string[] =>
  modelTypes.filter((type) => !known.has(type));

interface Covered {
  loader: Loader;
  /** Dictionaries on models that 0.1.0 read too, and on those it refused. */
  before: number;
  since: number;
  missing: string[];
}

async function covered(loader: Loader): Promise<Covered> {
  const refusals = await Promise.all(loader.fixtures.map(refusal));
  const layout = refusals.filter((one) => one !== null);
  const later = loader.refusedBefore ?? [];
  const laterTotal = sum(later.map(({ dictionaries }) => dictionaries));
  const isRead = layout.length === 0;
  const others = isRead && unknownOf(loader).length === 0;
  return {
    loader,
    before: others ? loader.dictionaries - laterTotal : 0,
    since: isRead
      ? sum(later.map((one) => (unknownOf(one).length === 0 ? one.dictionaries : 0)))
      : 0,
    missing: [
      ...layout,
      ...[loader, ...later].flatMap(unknownOf).map((type) => `no language model ${type}`),
    ],
  };
}

const rows = await Promise.all(registry.loaders.map(covered));
const total = registry.dictionaries;
const before = sum(rows.map((row) => row.before));
const since = sum(rows.map((row) => row.since));

it('counts every dictionary of the registry', () => {
  expect(sum(registry.loaders.map(({ dictionaries }) => dictionaries))).toBe(total);
});

it('is as wide as it should be', () => {
  expect(before / total).toBeGreaterThanOrEqual(0.968);
  expect((before + since) / total).toBeGreaterThan(0.99);
});

it('names tests that exist', () => {
  for (const { test } of registry.loaders) expect(existsSync(root + test), test).toBe(true);
});

it('stands in its document', async () => {
  const head =
    `**${count(before + since)} of ${count(total)} dictionaries ` +
    `(${share(before + since, total)})**; ` +
    `${count(before)} (${share(before, total)}) of them on models that version 0.1.0\nread too.`;
  const lines = rows.map(({ loader, before: old, since: young, missing }) => {
    const read = old + young;
    const models = [loader, ...(loader.refusedBefore ?? [])].flatMap(
      ({ modelTypes }) => modelTypes,
    );
    return [
      loader.loader,
      count(loader.dictionaries),
      read === loader.dictionaries ? 'yes' : read === 0 ? 'no' : count(read),
      models.join(', '),
      [...loader.fixtures, loader.test].map((path) => `\`${path}\``).join(', '),
      missing.join('; ') || '–',
    ];
  });
  const table = [
    ['loader of SAELens', 'dictionaries', 'ours', 'types of models', 'since what', 'missing'],
    ['---', '---', '---', '---', '---', '---'],
    ...lines,
  ].map((cells) => `| ${cells.join(' | ')} |`);
  const { path, text } = withTable('coverage.md', [head, '', ...table].join('\n'));
  await expect(text).toMatchFileSnapshot(path);
});
