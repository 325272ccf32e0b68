/** The rules of the summary, in the order of their sentences. */
import type { SummaryRule } from './rule.js';
import { baselineConfirmed } from './rules/baseline-confirmed.js';
import { baselineStanding } from './rules/baseline-standing.js';
import { compared } from './rules/compared.js';
import { crosscoderPlace } from './rules/crosscoder-place.js';
import { fixedAgainstRouted } from './rules/fixed-against-routed.js';
import { identities } from './rules/identities.js';
import { mlsaeAgainstRouted } from './rules/mlsae-against-routed.js';
import { nestedPrefixes } from './rules/nested-prefixes.js';
import { noIntervals } from './rules/no-intervals.js';
import { recommended } from './rules/recommended.js';
import { replacementModel } from './rules/replacement-model.js';
import { toCheck } from './rules/to-check.js';

export const summaryRules: readonly SummaryRule[] = [
  compared,
  noIntervals,
  baselineStanding,
  identities,
  fixedAgainstRouted,
  mlsaeAgainstRouted,
  crosscoderPlace,
  replacementModel,
  nestedPrefixes,
  recommended,
  ...toCheck,
  baselineConfirmed,
];
