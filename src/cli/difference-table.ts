/** Paired differences between runs, for a terminal. */
import CliTable from 'cli-table3';
import { fieldNamed } from '../metrics/table.js';
import type { RunComparison, RunDifference, Verdict } from '../schema/run-comparison.js';
import type { Language } from './language.js';

const words: Record<
  Language,
  {
    head: string[];
    verdicts: Record<Verdict, string>;
    against: (base: string, other: string, sequences: number) => string;
    left: (sae: string, reason: string) => string;
  }
> = {
  en: {
    head: ['metric', 'SAE', 'base', 'other', 'difference', '95 % interval', ''],
    verdicts: { better: 'better', worse: 'worse', undecided: 'undecided', unknown: '' },
    against: (base, other, sequences) =>
      `${other} against ${base}, ${sequences.toLocaleString('en')} sequences in pairs`,
    left: (sae, reason) => `${sae} is left out: ${reason}.`,
  },
  zh: {
    head: ['指标', 'SAE', '基准', '对比', '差值', '95% 区间', ''],
    verdicts: { better: '更好', worse: '更差', undecided: '无法区分', unknown: '' },
    against: (base, other, sequences) =>
      `${other} 对比 ${base}，共 ${sequences.toLocaleString('en')} 个配对序列`,
    left: (sae, reason) => `${sae} 未参与比较：${reason}。`,
  },
};

const cite = (value: number): string => String(Number(value.toPrecision(4)));
const signed = (value: number): string => `${value > 0 ? '+' : ''}${cite(value)}`;
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '�');

function rowOf(
  { metric, sae, otherSae, base, other, difference, ci95, verdict }: RunDifference,
  lang: Language,
): string[] {
  return [
    fieldNamed(metric)?.name[lang] ?? metric,
    sae === otherSae ? sae : `${sae} → ${otherSae}`,
    cite(base),
    cite(other),
    signed(difference),
    ci95 === null ? '' : `[${signed(ci95[0])}, ${signed(ci95[1])}]`,
    words[lang].verdicts[verdict],
  ].map(printable);
}

/** A table for each run that is compared with the base. */
export function differenceTables(
  { base, sequences, runs }: RunComparison,
  { lang }: { lang: Language },
): string {
  const { head, against, left } = words[lang];
  return runs
    .map(({ name, differences, left: leftOut }) => {
      const table = new CliTable({
        head,
        style: { head: [], border: [], compact: true },
        colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left'],
      });
      for (const one of differences) table.push(rowOf(one, lang));
      return [
        printable(against(base.name, name, sequences)),
        table.toString(),
        ...leftOut.map(({ sae, reason }) => printable(left(sae, reason))),
      ].join('\n');
    })
    .join('\n\n');
}
