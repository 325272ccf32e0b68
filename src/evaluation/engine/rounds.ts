/**
 * The rounds of a micro-batch through the blocks. In the first round its clean stream goes through
 * them. Lanes go along with it if each can be made of what the stream has shown by the layer where
 * the lane begins; otherwise, and if not all lanes may be alive at the same time, they go in rounds
 * of their own.
 */
import { laneGroups, type GroupPart } from './lane-groups.js';
import type { LanePlan } from './lanes.js';
import { measuredDepth, measuredPart, type Part, type Strategy } from './strategies/strategy.js';
import type { ZeroLane } from './zero-ablation.js';

/** The moment at which a strategy, or a lane with a site at zero, has its turn. */
export interface Entry {
  /** Place of the strategy; beyond the strategies, of the zero lane. */
  readonly source: number;
  readonly part: Part;
  /** The layer after whose block it enters. */
  readonly at: number;
  /** Its lanes, by their places in the round. */
  readonly lanes: readonly number[];
}

export interface Round {
  /** Entries by layer, then as the strategies come. */
  readonly entries: readonly Entry[];
  readonly lanes: readonly LanePlan[];
  /** Blocks that it goes through; null for all. */
  readonly depth: number | null;
  /** The layers that nothing reads any more after the entries of a layer. */
  readonly releases: ReadonlyMap<number, readonly number[]>;
}

interface Sources {
  readonly strategies: readonly Strategy[];
  readonly zeros: readonly ZeroLane[];
}

/** An entry whose layer is not decided yet. */
interface Work extends Omit<Entry, 'at'> {
  /** Layers whose residual stream or sites it reads. */
  readonly reads: readonly number[];
  /** The layer by which it must have entered, so that its lanes can begin; null without lanes. */
  readonly enterBy: number | null;
  /** The last layer at which one of its lanes begins. */
  readonly lastStart: number;
}

/** The round of samples that are measured and not spliced: as far as some SAE reads. */
export function measuredRound(strategies: readonly Strategy[]): Round {
  const parts = strategies.map((_, source) => ({ source, part: measuredPart }));
  const works = workOf(parts, { strategies, zeros: [] }).works.map((work) => placed(work, false));
  const entries = works.sort((a, b) => a.at - b.at);
  return {
    entries,
    lanes: [],
    depth: measuredDepth(strategies),
    releases: new Map(),
  };
}

/** @param most lanes that may be alive at the same time. */
export function planRounds(
  { strategies, zeros }: Sources,
  { most = Infinity }: { most?: number | undefined } = {},
): Round[] {
  const counts = [...strategies.map(({ lanes }) => lanes.length), ...zeros.map(() => 1)];
  const [first, ...others] = laneGroups(counts, most).map((parts) =>
    workOf(parts, { strategies, zeros }),
  );
  const goesAlong = first!.works.every(
    ({ reads, enterBy }) => enterBy === null || Math.max(...reads) <= enterBy,
  );
  const groups = [
    ...(goesAlong ? [{ ...first!, late: false }] : []),
    ...(goesAlong ? others : [first!, ...others]).map((group) => ({ ...group, late: true })),
  ].map(({ works, lanes, late }) => ({ lanes, works: works.map((work) => placed(work, late)) }));
  // The clean stream goes by itself.
  const rounds = goesAlong ? groups : [{ lanes: [], works: [] }, ...groups];
  const lastUse = new Map<number, { round: number; at: number }>();
  rounds.forEach(({ works }, round) => {
    for (const { reads, at, lastStart } of works)
      for (const layer of reads) {
        const before = lastUse.get(layer);
        const until = Math.max(at, lastStart);
        if (before === undefined || before.round < round || before.at < until)
          lastUse.set(layer, { round, at: until });
      }
  });
  return rounds.map(({ lanes, works }, round) => {
    const releases = new Map<number, number[]>();
    for (const [layer, use] of lastUse)
      if (use.round === round) releases.set(use.at, [...(releases.get(use.at) ?? []), layer]);
    return { lanes, depth: null, releases, entries: [...works].sort((a, b) => a.at - b.at) };
  });
}

function placed(work: Work, late: boolean): Work & Entry {
  const ready = Math.max(0, ...work.reads);
  return { ...work, at: late ? (work.enterBy ?? ready) : ready };
}

/** The work of a group of lanes, and its lanes in order. */
function workOf(
  parts: readonly GroupPart[],
  { strategies, zeros }: Sources,
): { works: Work[]; lanes: LanePlan[] } {
  const lanes: LanePlan[] = [];
  const works = parts.flatMap(({ source, part }): Work[] => {
    const strategy = strategies[source];
    const from = lanes.length;
    if (strategy === undefined) {
      const lane = zeros[source - strategies.length]!;
      lanes.push(lane);
      return [workFor({ source, part }, { reads: [lane.start], lanes: [[from, lane]] })];
    }
    const own = strategy.lanes.filter((_, lane) => part.takes(lane));
    const numbered = own.map((lane, n) => [from + n, lane] as const);
    lanes.push(...own);
    const reads = [...strategy.residuals, ...strategy.sites.map(({ layer }) => layer)];
    if (strategy.isByLayer !== true) return [workFor({ source, part }, { reads, lanes: numbered })];
    return strategy.residuals.flatMap((layer) => {
      const here = numbered.filter(([, { start }]) => start === layer);
      const measures = part.measures && (strategy.measuredOn?.includes(layer) ?? true);
      if (!measures && here.length === 0) return [];
      const takes = (lane: number): boolean =>
        strategy.lanes[lane]!.start === layer && part.takes(lane);
      const ofLayer = { measures, takes, layer };
      return [workFor({ source, part: ofLayer }, { reads: [layer], lanes: here })];
    });
  });
  return { works, lanes };
}

function workFor(
  of: { source: number; part: Part },
  { reads, lanes }: { reads: readonly number[]; lanes: readonly (readonly [number, LanePlan])[] },
): Work {
  const plans = lanes.map(([, plan]) => plan);
  const begins = plans.map(({ start, through = 0 }) => start - through);
  return {
    ...of,
    reads,
    lanes: lanes.map(([place]) => place),
    enterBy: begins.length === 0 ? null : Math.min(...begins),
    lastStart: Math.max(0, ...begins),
  };
}
