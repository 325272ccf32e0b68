/**
 * The plan of a run: which passes it makes and what they cost, so that nothing is computed twice
 * and everybody can see it. Costs are FLOPs of matmuls for one token, two per multiply-add; norms,
 * activations and selections are left out.
 */
import type { ForwardCost } from '../../../lm/index.js';
import type { CrossLayer, Override, SAE } from '../../../sae/index.js';
import { zeroLanes } from '../../engine/zero-ablation.js';
import { measuredDepth, type Strategy, type Wanted } from '../../engine/strategies/strategy.js';

/** One line of the plan. */
export interface PlanStep {
  pass: 'clean' | 'suffix' | 'head' | 'sae';
  /** The block after which a suffix starts; null for other passes. */
  from: number | null;
  /** Labels of the SAEs whose splices a suffix carries, or whose encoder and decoder run. */
  labels: readonly string[];
  /** Passes of this kind: lanes of a suffix, heads, encoder passes. */
  count: number;
  /** Blocks that each of them goes through. */
  blocks: number;
  /** FLOPs of a token through all of them. */
  flops: number;
}

export interface Plan {
  steps: readonly PlanStep[];
  /** FLOPs of a token through everything. */
  flopsPerToken: number;
  /** The same from one forward pass per SAE and metric, and one more per splice. */
  flopsPerTokenApart: number;
}

export interface PlannedSae {
  label: string;
  sae: SAE;
  strategy: Pick<
    Strategy,
    'lanes' | 'zeroSites' | 'residuals' | 'sites' | 'measuredOn' | 'variants' | 'passes'
  >;
}

/** Multiply-adds of one encoder pass: a Crosscoder's goes over its sites together. */
function encodeCost({ form, m, d }: SAE, sites: number): number {
  return m * d * (form === 'crosscoder' ? sites : 1);
}

/** Multiply-adds by which latents of a layer, m / n, write to it and to the n − l after it. */
const crossLayerDecode = ({ m, d, n }: CrossLayer): number => (m * d * (n + 1)) / 2;

/**
 * Multiply-adds of one decoder pass: a sparse one touches as many rows as there are active latents.
 */
function decodeCost(sae: SAE, override: Override, sites: number): number {
  if (sae.form === 'cross-layer') return crossLayerDecode(sae);
  const { form, m, d, k } = sae;
  const active =
    override === null
      ? (k ?? m)
      : 'inferK' in override
        ? Math.min(override.inferK, m)
        : 'prefix' in override
          ? (k ?? override.prefix)
          : m;
  return active * d * (form === 'crosscoder' ? sites : 1);
}

const sum = (values: Iterable<number>): number =>
  [...values].reduce((total, value) => total + value, 0);

/** The plan of SAEs that can be evaluated. */
export function makePlan(
  saes: readonly PlannedSae[],
  { cost, wanted }: { cost: ForwardCost; wanted: Wanted },
): Plan {
  const L = cost.blocks.length;
  const through = (from: number): number => 2 * sum(cost.blocks.slice(from));
  const head = 2 * cost.head;
  const starts = new Map<number, { labels: Set<string>; count: number }>();
  for (const { label, strategy } of saes) {
    for (const { start, through: before = 0 } of strategy.lanes) {
      const from = start - before;
      const lanes = starts.get(from) ?? { labels: new Set<string>(), count: 0 };
      lanes.labels.add(label);
      lanes.count += 1;
      starts.set(from, lanes);
    }
  }
  for (const { start } of zeroLanes(saes.map(({ strategy }) => strategy))) {
    const lanes = starts.get(start) ?? { labels: new Set<string>(), count: 0 };
    starts.set(start, { ...lanes, count: lanes.count + 1 });
  }
  const lanes = sum([...starts.values()].map(({ count }) => count));
  const strategies = saes.map(({ strategy }) => strategy);
  // Without splices nothing above the highest measured layer is computed.
  const depth = lanes > 0 ? L : measuredDepth(strategies);
  const clean = through(0) - through(depth);
  const steps: PlanStep[] = [
    { pass: 'clean', from: 0, labels: [], count: 1, blocks: depth, flops: clean },
  ];
  for (const [from, { labels, count }] of [...starts].sort(([a], [b]) => a - b)) {
    steps.push({
      pass: 'suffix',
      from,
      labels: [...labels],
      count,
      blocks: L - from,
      flops: count * through(from),
    });
  }
  if (lanes > 0)
    steps.push({
      pass: 'head',
      from: null,
      labels: [],
      count: 1 + lanes,
      blocks: 0,
      flops: (1 + lanes) * head,
    });

  let apart = 0;
  for (const { label, sae, strategy } of saes) {
    const sites = strategy.residuals.length;
    const decoding = sum(
      strategy.variants.map(
        ({ sparsity }, index) =>
          2 * strategy.passes.decode[index]! * decodeCost(sae, sparsity, sites),
      ),
    );
    const flops = 2 * strategy.passes.encode * encodeCost(sae, sites) + decoding;
    steps.push({
      pass: 'sae',
      from: null,
      labels: [label],
      count: strategy.passes.encode,
      blocks: 0,
      flops,
    });
    // A script per SAE and metric: a whole pass for the error, one for the clean logits and one for
    // each splice.
    const splices = strategy.lanes.length;
    const passes = 1 + (wanted.splice && splices > 0 ? 1 + splices : 0);
    apart += passes * (through(0) + head) + 2 * flops;
  }
  return { steps, flopsPerToken: sum(steps.map(({ flops }) => flops)), flopsPerTokenApart: apart };
}
