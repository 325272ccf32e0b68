/** The plan of a run as a table for a terminal. */
import CliTable from 'cli-table3';
import type { ExplainedRequest } from '../evaluation/run/plan/explain.js';
import type { PlanStep } from '../evaluation/run/plan/plan.js';
import type { Streaming } from '../evaluation/run/plan/streaming.js';

/** FLOPs with a unit. */
function flopsText(flops: number): string {
  return flops >= 1e9
    ? `${(flops / 1e9).toPrecision(3)} GFLOP`
    : `${(flops / 1e6).toPrecision(3)} MFLOP`;
}

function describe({ pass, from, labels, count }: PlanStep): string {
  switch (pass) {
    case 'clean':
      return 'clean pass';
    case 'suffix':
      return `spliced at layer ${from}: ${labels.join(', ')}`;
    case 'head':
      return 'final norm and head, clean and spliced';
    case 'sae':
      return `${labels.join(', ')}: encoder${count === 1 ? '' : ' passes'} and decoder`;
  }
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** How weights come in that do not fit. */
function streamingText(
  { weightBytes, memoryBytes, sequences, rounds, bytes, bytesFor }: Streaming,
  { device, maxSamples }: Pick<ExplainedRequest, 'device' | 'maxSamples'>,
): string {
  const inAll = `, ${gib(bytesFor(maxSamples))} for the run of at most ${maxSamples} samples`;
  return (
    `the weights (${gib(weightBytes)}) do not fit into the memory of ${device} ` +
    `(${gib(memoryBytes)}): blocks are brought in one after the other, each ` +
    `${rounds === 1 ? 'once' : `${rounds} times`} for ${sequences} ` +
    `${sequences === 1 ? 'sequence' : 'sequences'}: ${gib(bytes)}${inAll}`
  );
}

/** Cost of splices, and the part that `spliceSamples` saves. */
function spliceLines({ plan, measured, maxSamples, spliceSamples }: ExplainedRequest): string[] {
  if (measured === null) return [];
  const share = measured.flopsPerToken / plan.flopsPerToken;
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
  const line =
    `splices are ${percent(1 - share)} of it: a sample that is only measured takes ` +
    `${flopsText(measured.flopsPerToken)} per token`;
  if (spliceSamples === undefined) return [`${line} (spliceSamples says how many are spliced)`];
  if (spliceSamples >= maxSamples) return [line];
  const spliced = spliceSamples / maxSamples;
  return [
    line,
    `${spliceSamples} of at most ${maxSamples} samples are spliced: ` +
      `${percent(spliced + (1 - spliced) * share)} of what splicing all would take`,
  ];
}

export function planTable(explained: ExplainedRequest): string {
  const { plan, decisions, seqLen, device, streaming } = explained;
  const table = new CliTable({
    head: ['pass', 'times', 'blocks each', 'per token', 'share'],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'right', 'right', 'right'],
  });
  for (const step of plan.steps) {
    table.push([
      describe(step),
      String(step.count),
      step.blocks === 0 ? '' : String(step.blocks),
      flopsText(step.flops),
      `${((100 * step.flops) / plan.flopsPerToken).toFixed(1)} %`,
    ]);
  }
  const { sequences, logits, lanesPerCall } = decisions.microBatch;
  return [
    table.toString(),
    `in all ${flopsText(plan.flopsPerToken)} per token; one forward pass for each SAE, ` +
      `metric and splice would take ${flopsText(plan.flopsPerTokenApart)}, ` +
      `${(plan.flopsPerTokenApart / plan.flopsPerToken).toFixed(1)} times as much`,
    ...spliceLines(explained),
    `at once on ${device}, ${decisions.threads} ` +
      `${decisions.threads === 1 ? 'thread' : 'threads'}: ${sequences} ` +
      `${sequences === 1 ? 'sequence' : 'sequences'} of ${seqLen} tokens, ${lanesPerCall} ` +
      `spliced ${lanesPerCall === 1 ? 'copy' : 'copies'} of them through a block, ${logits} ` +
      'logits',
    ...(streaming === null ? [] : [streamingText(streaming, explained)]),
  ].join('\n');
}
