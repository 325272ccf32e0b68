/** The results of the bench as a page of the documentation. */
import { writeFileSync } from 'node:fs';

const seconds = (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} s`;
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
const ratio = (value) => `${value.toFixed(value < 10 ? 1 : 0)}×`;
const table = (head, rows) =>
  [
    `| ${head.join(' | ')} |`,
    `|${head.map((_, i) => (i === 0 ? '---' : '---:')).join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
const heading = (title, { date, note }) =>
  `### ${title}\n\n${date}${note === undefined ? '' : `; ${note}`}.\n`;

function shipped(section) {
  const { ours, oursReference, single, apart, samples, deviation } = section;
  const row = (name, { seconds: took, peakBytes }) => [
    name,
    seconds(took),
    gigabytes(peakBytes),
    ratio(took / ours.seconds),
  ];
  return [
    heading('The shipped model', section),
    `Eight SAEs on ${samples} samples of 256 tokens, start-up included. The scripts ` +
      'compute NormMSE and KLDiv of `reference`.\n',
    table(
      ['', 'time', 'peak memory', 'of our time'],
      [
        row('ours: every metric, both protocols', ours),
        row('ours: what the scripts compute', oursReference),
        row('PyTorch, one process', single),
        row('PyTorch, a process for each SAE and metric', apart),
      ],
    ),
    (section.peak === undefined
      ? '\n'
      : `\nEvery metric ran at ${share({ ...section, ...ours }, fastest(section.peak))} of the ` +
        `best matmul (${fastest(section.peak).toFixed(0)} GFLOP/s), loading included. `) +
      `Largest relative deviation of our numbers from theirs: ${deviation.toExponential(1)}.`,
    ...besideHooks(section),
  ];
}

/** Ours beside three forward passes for each SAE and batch. */
function besideHooks({ hooked, likeHooked, hookedDeviation }) {
  if (hooked === undefined) return [];
  const { saes, seconds: took } = hooked;
  return [
    `\nSAEBench’s numbers of the ${saes} SAEs that have one site: ours ` +
      `${seconds(likeHooked.seconds)}; hooks on transformers, three forward passes for each SAE ` +
      `and batch, ${seconds(took)}, ${ratio(took / likeHooked.seconds)} as long` +
      (hookedDeviation === undefined
        ? '.'
        : `. Largest relative deviation: ${hookedDeviation.toExponential(1)}.`),
  ];
}

/** GFLOP/s of the fastest matmul in float32. */
const fastest = ({ float32, float32Onednn }) => Math.max(float32.best, float32Onednn?.best ?? 0);
/** Share of a matmul's speed at which a run did the arithmetic that it needs. */
const share = ({ flopsPerToken, tokens, computing }, gflops) =>
  `${((100 * flopsPerToken * tokens) / computing / 1e9 / gflops).toFixed(0)} %`;

function gpt2(section) {
  const { ours, oursReference, single, samples, deviation } = section;
  const best = fastest(section.peak);
  const row = (name, { seconds: took, peakBytes }) => [
    name,
    seconds(took),
    gigabytes(peakBytes),
    ratio(took / ours.seconds),
  ];
  return [
    heading('A model of GPT-2 small’s size', section),
    `Llama’s architecture, random weights, eight SAEs of 6,144 latents, ${samples} samples of ` +
      '256 tokens, start-up included.\n',
    table(
      ['', 'time', 'peak memory', 'of our time'],
      [
        row('ours: every metric, both protocols', ours),
        row('ours: what the scripts compute', oursReference),
        row('PyTorch, one process', single),
      ],
    ),
    `\nWhat the scripts compute ran at ${share(section, best)} of the best matmul ` +
      `(${best.toFixed(0)} GFLOP/s), loading included. Largest relative deviation of our ` +
      `numbers from theirs: ${deviation.toExponential(1)}.`,
    ...besideHooks(section),
  ];
}

function many({ oneSite, sites, samples, ...section }) {
  const rows = (all) =>
    all.map(({ saes, seconds: took, peakBytes }, i) => [
      saes,
      seconds(took),
      i === 0 ? '' : `${(1000 * ((took - all[0].seconds) / (saes - all[0].saes))).toFixed(0)} ms`,
      gigabytes(peakBytes),
    ]);
  return [
    heading('Many SAEs', section),
    `TopK SAEs of files of their own, the shipped model, ${samples} samples of 256 tokens, every ` +
      'metric under both protocols, start-up apart.\n',
    table(['SAEs on one site', 'time', 'each beyond the first', 'peak memory'], rows(oneSite)),
    '',
    table(['sites, an SAE on each', 'time', 'each beyond the first', 'peak memory'], rows(sites)),
  ];
}

function long({ rows, tokens, shape, short, ...section }) {
  return [
    heading('Long texts', section),
    `${tokens} tokens in all under \`strict\`, a random model of ${shape.layers} blocks of width ` +
      `${shape.width}, one SAE of 2,048 latents, start-up apart.\n`,
    table(
      ['tokens of a text', 'time', 'of the first', 'peak memory'],
      rows.map(({ length, seconds: took, peakBytes }) => [
        length,
        seconds(took),
        ratio(took / rows[0].seconds),
        gigabytes(peakBytes),
      ]),
    ),
    ...(short === undefined
      ? []
      : [
          `\nAs texts of 128 tokens: ${seconds(short.equal.seconds)}; as texts of 8 to 248 ` +
            `tokens, 128 in the mean, without padding: ${seconds(short.mixed.seconds)}.`,
        ]),
  ];
}

function large(section) {
  const {
    float32,
    bfloat16,
    bfloat16Saes,
    float32Report,
    bfloat16Report,
    single,
    apart,
    peak,
    flopsPerToken,
    flopsPerTokenApart,
    reportFlopsPerToken,
    deviation,
    bfloat16Deviation,
    bfloat16SaesDeviation,
  } = section;
  const row = (name, of) => [
    name,
    seconds(of.seconds),
    gigabytes(of.peakBytes),
    single === undefined ? '' : ratio(single.seconds / of.seconds),
    apart === undefined ? '' : ratio(apart.seconds / of.seconds),
  ];
  const [best32, best16] = [fastest(peak), peak.bfloat16.best];
  const reached = (of, best) => share({ ...of, flopsPerToken }, best);
  const reachedByReport = (of, best) => share({ ...of, flopsPerToken: reportFlopsPerToken }, best);
  return [
    heading('A model of Llama-3.2-1B’s shape', section),
    'Random weights, SAEs of 16,384 latents, k = 64, 2 sequences of 512 tokens, NormMSE ' +
      'and KLDiv of `reference`, start-up and loading included.\n',
    table(
      ['', 'time', 'peak memory', 'faster than one process', 'than a process for each'],
      [
        row('ours, float32', float32),
        ...(bfloat16 === undefined ? [] : [row('ours, bfloat16', bfloat16)]),
        ...(bfloat16Saes === undefined
          ? []
          : [row('ours, bfloat16, SAEs too (`saeDtype`)', bfloat16Saes)]),
        ...(float32Report === undefined
          ? []
          : [
              row('ours, float32: every metric, both protocols', float32Report),
              row('ours, bfloat16: every metric, both protocols', bfloat16Report),
            ]),
        ...(single === undefined ? [] : [row('PyTorch float32, one process', single)]),
        ...(apart === undefined
          ? []
          : [row('PyTorch float32, a process for each SAE and metric', apart)]),
      ],
    ),
    `\nNecessary arithmetic: ${(flopsPerToken / 1e9).toFixed(1)} GFLOP per token (one ` +
      'forward pass for each SAE, metric and splice: ' +
      `${(flopsPerTokenApart / 1e9).toFixed(1)}). Of the best matmul of the same run ` +
      `(float32 ${best32.toFixed(0)} ` +
      'GFLOP/s' +
      (peak.float32Onednn === undefined
        ? ''
        : ` by oneDNN, ${peak.float32.best.toFixed(0)} by libtorch’s own operator, which PyTorch ` +
          'takes') +
      `, bfloat16 ${best16.toFixed(0)}) it ran at ${reached(float32, best32)} in ` +
      'float32' +
      (bfloat16 === undefined
        ? ''
        : ` and ${reached(bfloat16, best16)} in bfloat16, where metrics stay in float32 and SAEs ` +
          'compute in it (on AMX from bfloat16 parts)') +
      (float32Report === undefined
        ? '.'
        : `; every metric at ${reachedByReport(float32Report, best32)} and ` +
          `${reachedByReport(bfloat16Report, best16)}, with ` +
          `${(reportFlopsPerToken / 1e9).toFixed(1)} GFLOP per token.`),
    ...(deviation === undefined
      ? []
      : [
          `\nLargest relative deviation from PyTorch’s numbers: ` +
            `${deviation.toExponential(1)}` +
            (typeof bfloat16Deviation === 'number'
              ? `; of bfloat16 from float32: ${bfloat16Deviation.toExponential(1)}`
              : '') +
            (typeof bfloat16SaesDeviation === 'number'
              ? `, with SAEs in bfloat16 ${bfloat16SaesDeviation.toExponential(1)}`
              : '') +
            '.',
        ]),
    ...besideHooks(section),
  ];
}

function scaling(section) {
  const { samples, lastBlock, inside, repeats = 2, saeSamples = 32 } = section;
  const first = (rows) => rows[0].seconds;
  return [
    heading('Cost against samples and SAEs', section),
    `The shipped model, start-up apart, the best of ${repeats} runs; the SAEs on ` +
      `${saeSamples} samples.\n`,
    table(
      ['samples, eight SAEs', 'time', 'of the line before'],
      samples.map((row, i) => [
        row.maxSamples,
        seconds(row.seconds),
        i === 0 ? '' : ratio(row.seconds / samples[i - 1].seconds),
      ]),
    ),
    '',
    table(
      ['TopK SAEs', 'on the last block', 'of one', 'on block 8', 'of one', 'FLOPs of one'],
      lastBlock.map((row, i) => [
        row.saes,
        seconds(row.seconds),
        ratio(row.seconds / first(lastBlock)),
        seconds(inside[i].seconds),
        ratio(inside[i].seconds / first(inside)),
        ratio(inside[i].flopsPerToken / inside[0].flopsPerToken),
      ]),
    ),
  ];
}

function peak(section) {
  const columns = [
    ['float32', section.float32],
    ['float32 by oneDNN', section.float32Onednn],
    ['bfloat16', section.bfloat16],
  ].filter(([, measured]) => measured !== undefined);
  return [
    heading('Matmul', section),
    table(
      ['x Wᵀ', ...columns.map(([name]) => name)],
      section.float32.shapes.map(({ shape: [n, k, m] }, i) => [
        `[${n}, ${k}] × [${k}, ${m}]`,
        ...columns.map(([, { shapes }]) => `${shapes[i].gflops.toFixed(0)} GFLOP/s`),
      ]),
    ),
    `\nKernels of libtorch: ${section.cpu}.`,
  ];
}

function kernels(section) {
  return [
    heading('Kernels against the operators they stand for', section),
    table(
      ['', 'shape', 'ATen', 'ours', 'gain'],
      section.rows.map(({ name, shape, composed, fused }) => [
        name,
        `[${shape.join(', ')}]`,
        `${composed.toFixed(1)} ms`,
        `${fused.toFixed(1)} ms`,
        ratio(composed / fused),
      ]),
    ),
  ];
}

const sections = { shipped, gpt2, large, scaling, many, long, peak, kernels };

/** The page with its prose broken at 100 columns. */
const wrapped = (page) =>
  page
    .split('\n')
    .map((line) =>
      /^[|#]/.test(line) ? line : line.replace(/(.{1,100})(?: |$)/g, '$1\n').trimEnd(),
    )
    .join('\n');

export function writeTables(results, file) {
  const parts = Object.entries(results).flatMap(([machine, measured]) => [
    `## ${machine}`,
    '',
    ...Object.entries(sections).flatMap(([name, write]) =>
      measured[name] === undefined ? [] : [...write(measured[name]), ''],
    ),
  ]);
  const head =
    '`npm run bench` writes this page, machine by machine; numbers of a section are ' +
    'measured side ' +
    'by side in one run.';
  writeFileSync(file, wrapped(['# Bench', '', head, '', ...parts].join('\n')));
}
