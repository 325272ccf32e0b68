/** The protocols of other tools in a run: the positions that they count, and that they splice. */
import { peerRules, peersAmong, type PeerProtocol } from '../metrics/peers/protocols.js';
import type { ResolvedRequest } from '../schema/index.js';
import type { Tokenizer } from '../lm/index.js';
import { everyPosition, positionSet, type PositionSet } from './positions.js';

/** A protocol of another tool in a run. */
export interface PeerRun {
  protocol: PeerProtocol;
  /** Positions that count. */
  counted: PositionSet;
  /** Positions that a splice changes, at most places and at the outputs of heads. */
  spliced: PositionSet;
  splicedAtHeads: PositionSet;
}

/** The protocols of other tools that a request asks for. */
export function peerRuns(
  request: Pick<ResolvedRequest, 'protocol' | 'excludeSpecialsFromReconstruction'>,
  { namedIds }: Pick<Tokenizer, 'namedIds'>,
): PeerRun[] {
  return peersAmong(request.protocol).map((protocol): PeerRun => {
    const { specials, leaves } = peerRules[protocol];
    const ids = specials.flatMap((name) => namedIds.get(name) ?? []);
    const counted = positionSet({ specials: false, ids, kept: null }, new Set());
    const isAsked = request.excludeSpecialsFromReconstruction === true;
    const spliced = leaves !== 'none unless asked' || isAsked ? counted : everyPosition;
    return {
      protocol,
      counted,
      spliced,
      splicedAtHeads: leaves === 'specials, not at heads' ? everyPosition : spliced,
    };
  });
}
