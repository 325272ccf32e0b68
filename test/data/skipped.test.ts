/** Skipped records: every reason with its count and first example, on the way to every reader. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate } from '#src/compute/evaluate.js';
import { openSamples, type SampleOptions, type SampleSummary } from '#src/data/index.js';
import { excerptOf } from '#src/data/skipped.js';
import { loadTokenizer, type Tokenizer } from '#src/lm/index.js';
import { renderReport } from '#src/report/index.js';
import { renderFindings, renderLosses } from '#src/report/terminal.js';
import type { Progress, Skipped } from '#src/schema/index.js';
import { root, shipped } from '../golden/load.js';

let folder: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sae-eval-skipped-'));
  tokenizer = await loadTokenizer(shipped('tiny-llama'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

async function summaryOf(options: Omit<SampleOptions, 'tokenizer'>): Promise<SampleSummary> {
  const stream = await openSamples({ ...options, tokenizer });
  for await (const _ of stream);
  return stream.summary;
}

/** Reason, count, number of the first record and its excerpt. */
const facts = ({ reason, count, first }: Skipped): unknown[] => [
  reason,
  count,
  first.unit,
  first.number,
  first.excerpt,
];

describe('reasons', () => {
  it('of lines have counts and first examples', async () => {
    const path = write(
      'lines.jsonl',
      [
        '{"text": "good"}',
        '',
        '{"text": "cut off',
        '[1, 2]',
        '{"text": 3}',
        '{"text": null}',
        '{"body": "elsewhere"}',
        '{"text": " \\t"}',
        'no JSON at all',
        '{"text": ["a"]}',
        '{"text": "also good"}',
      ].join('\r\n'),
    );
    const summary = await summaryOf({ path, seqLen: 8 });
    expect(summary.skipped.map(facts)).toEqual([
      ['not-json', 2, 'line', 3, '{"text": "cut off'],
      ['not-an-object', 1, 'line', 4, '[1, 2]'],
      ['not-a-string', 3, 'line', 5, '3'],
      ['field-missing', 1, 'line', 7, '{"body": "elsewhere"}'],
      ['blank', 1, 'line', 8, '{"text": " \\t"}'],
    ]);
    expect(new Set(summary.skipped.map(({ first }) => first.file))).toEqual(
      new Set(['lines.jsonl']),
    );
    expect(summary).toMatchObject({ records: 10, skippedRecords: 8, samples: 2 });
    for (const { en, zh } of summary.skipped) expect(en).not.toBe(zh);
  });

  it('of token ids tell a wrong list from a wrong id', async () => {
    const rows = [[1, 2], [4096, 1], 'text', [1.5], [], { a: 1 }];
    const summary = await summaryOf({
      path: write('ids.jsonl', rows.map((ids) => JSON.stringify({ ids })).join('\n')),
      seqLen: 8,
      tokensField: 'ids',
    });
    expect(summary.skipped.map(facts)).toEqual([
      ['not-token-ids', 3, 'line', 3, 'text'],
      [
        'outside-vocabulary',
        1,
        'line',
        2,
        'id 4096 (tokenizer: 4096 tokens, embedding: 4096 rows)',
      ],
      ['no-token-ids', 1, 'line', 5, '{"ids":[]}'],
    ]);
  });

  it('of texts that are not UTF-8 or blank name the line or the file', async () => {
    const path = mkdtempSync(join(folder, 'texts-'));
    writeFileSync(join(path, 'a.txt'), Buffer.from('good words\n\xff\xfe bad\n', 'latin1'));
    writeFileSync(join(path, 'b.txt'), ' \n\n');
    const { skipped } = await summaryOf({ path, seqLen: 8 });
    expect(skipped.map((one) => [one.first.file, ...facts(one)])).toEqual([
      ['a.txt', 'not-utf8', 1, 'line', 2, '�� bad'],
      ['b.txt', 'blank', 1, 'file', 1, ''],
    ]);
  });

  it('of rows of parquet name the row', async () => {
    const fixtures = `${root}test/data/fixtures/parquet/`;
    const { texts } = JSON.parse(readFileSync(`${fixtures}expected.json`, 'utf8')) as {
      texts: (string | null)[];
    };
    const { skipped, records } = await summaryOf({ path: `${fixtures}snappy.parquet`, seqLen: 8 });
    expect(records).toBe(texts.length);
    expect(skipped.find(({ reason }) => reason === 'field-missing')).toMatchObject({
      count: texts.filter((text) => text === null).length,
      first: { file: 'snappy.parquet', unit: 'row', number: texts.indexOf(null) + 1 },
    });
  });

  it('are in the error if nothing is left', async () => {
    const path = write('other.jsonl', '{"content": "a"}\n{"content": "b"}\nbroken\n');
    await expect(openSamples({ path, seqLen: 8, tokenizer })).rejects.toThrow(
      '1 line was skipped: not JSON (first: other.jsonl, line 3: broken). 2 lines were skipped: ' +
        'the field `text` is missing (first: other.jsonl, line 1: {"content": "a"}).',
    );
  });
});

describe('an excerpt', () => {
  it('is one short line that controls nothing', () => {
    expect(excerptOf('a\n\tb\r\n  c')).toBe('a b c');
    expect(excerptOf('\u001b[31mred\u0007 \u202egnp.exe \ud800 \u0085')).toBe(
      '�[31mred� �gnp.exe � �',
    );
    expect(excerptOf({ n: 12n, ids: new Int32Array([1, 2]) })).toBe('{"n":12,"ids":[1,2]}');
    const long = excerptOf('🙂'.repeat(1000));
    expect([...long]).toHaveLength(101);
    expect(long.endsWith('🙂…')).toBe(true);
    expect(excerptOf(undefined)).toBe('');
  });
});

describe('a run with losses', () => {
  it('shows them while it runs, in its result, its reports and the terminal', async () => {
    const broken = '{"text": "<b>`bold`</b> | \u001b[2J", "x": ';
    const path = write(
      'run.jsonl',
      [
        broken,
        ...Array.from({ length: 5 }, () => 'broken'),
        '{"text": 5}',
        ...Array.from({ length: 4 }, (_, n) => JSON.stringify({ text: `a good record ${n}` })),
      ].join('\n'),
    );
    const seen: Progress[] = [];
    const result = await evaluate(
      {
        model: shipped('tiny-llama'),
        dataset: { path, seqLen: 16, maxSamples: 4 },
        saes: [{ kind: 'TopK', checkpoint: shipped('TopK_tiny.pt'), layer: 8, k: 16 }],
        metrics: ['NormMSE'],
        protocol: ['strict'],
        batchSize: 2,
        device: 'cpu',
      },
      { onProgress: (progress) => seen.push(progress) },
    );
    expect(seen[0]!.skipped).toEqual(result.data.skipped);
    expect(seen.at(-1)!.truncatedTokens).toBe(result.data.truncatedTokens);
    expect(result.data).toMatchObject({ records: 11, skippedRecords: 7 });
    expect(result.data.skipped!.map(({ reason, count }) => [reason, count])).toEqual([
      ['not-json', 6],
      ['not-a-string', 1],
    ]);
    const finding = result.findings.find(({ code }) => code === 'records-lost')!;
    expect(finding).toMatchObject({
      severity: 'warning',
      evidence: { skippedRecords: 7, records: 11, 'not-json': 6, 'not-a-string': 1 },
    });
    expect(renderFindings(result)).toContain(`Warning: ${finding.message.en}`);
    expect(renderLosses(result)).toEqual([
      '7 of 11 records were skipped; the numbers are of the others.',
      '  6 × not JSON; first: run.jsonl, line 1: {"text": "<b>`bold`</b> | �[2J", "x":',
      '  1 × the field `text` is not a string; first: run.jsonl, line 7: 5',
    ]);
    for (const [lang, title, reason, place] of [
      ['en', 'Text that was left out', 'not JSON', 'run.jsonl, line 1'],
      ['zh', '未使用的文本', '不是 JSON', 'run.jsonl，第 1 行'],
    ] as const) {
      const md = await renderReport(result, { format: 'md', lang });
      expect(md).toContain(`## ${title}`);
      expect(md.split('\n').find((line) => line.startsWith(`| ${reason} | 6 |`))).toContain(place);
      const html = await renderReport(result, { format: 'html', lang });
      expect(html).toContain(`>${title}</a></h2>`);
      expect(html).toContain(place);
      expect(html).not.toContain('<b>`bold`');
    }
  });
});
