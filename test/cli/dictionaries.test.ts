/** The command `dictionaries`: its table, its JSON, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { dictionaryTable } from '#src/cli/dictionary-table.js';
import { dictionaries } from '#src/cli/commands/dictionaries.js';
import { compareDictionaries } from '#src/evaluation/dictionaries/compare-files.js';
import { golden } from '../golden/load.js';

const file = (name: string): string => golden(`dictionaries/${name}.safetensors`);

describe('the command dictionaries', () => {
  it('prints a row for each pair, in both languages', async () => {
    const files = ['base', 'permuted', 'noisy'].map((label) => ({
      checkpoint: file(label),
      label,
    }));
    const exact = await compareDictionaries(files);
    const english = dictionaryTable(exact, { lang: 'en' }).split('\n');
    expect(english.filter((line) => line.includes('exact'))).toHaveLength(3);
    expect(english.find((line) => line.includes('permuted'))).toContain('100 %');
    const auctioned = await compareDictionaries(files.slice(1), { exactUpTo: 10 });
    expect(dictionaryTable(auctioned, { lang: 'zh' })).toContain('拍卖');
  });

  it.each([
    [[file('base')], {}, 'at least two checkpoints'],
    [[file('base'), file('noisy')], { kind: 'Top' }, '--kind'],
    [[file('base'), file('noisy')], { candidates: '0' }, '--candidates'],
    [[file('base'), file('noisy')], { exactUpTo: 'all' }, '--exact-up-to'],
  ])('refuses %j with %j', async (checkpoints, flags, message) => {
    await expect(dictionaries(checkpoints, flags)).rejects.toThrow(message);
  });
});
