/** Settings of a language model that only some families have. */
import type { DeltaNetConfig } from './delta-net-config.js';
import type { ExpertsConfig } from './experts-config.js';

import type { BlockSite } from './hook-names.js';

export interface FamilySettings {
  /** Experts of the MLPs that are mixtures. */
  experts?: ExpertsConfig;
  /** Linear attention of some blocks. */
  deltaNet?: DeltaNetConfig;
  /** Whether each head has a score that stands for no key. */
  attentionSinks?: boolean;
  /** Number of positions that attend among themselves alone, of each block; null for all. */
  attentionChunks?: readonly (number | null)[];
  /** Whether the queries and keys of each head are normalized. */
  headNorms?: boolean;
  /** Bound of queries, keys and values on both sides; null for none. */
  clip?: number | null;
  /** Growth of the queries with their position; null for none. */
  queryGrowth?: QueryGrowth | null;
  /** Sites that the blocks do not have with these settings, beside those of the family. */
  lacks?: readonly BlockSite[];
  /** Where OPT's layers stand. */
  opt?: OptSettings;
  /** How Falcon's norms are laid out. */
  falcon?: FalconSettings;
}

/** Queries are multiplied by 1 + beta · log(1 + ⌊position / positions⌋). */
export interface QueryGrowth {
  beta: number;
  positions: number;
}

export interface OptSettings {
  /** Width of the token embeddings. */
  embeddingWidth: number;
  /** Whether norms stand before attention and MLP, not on the residual stream after them. */
  normBefore: boolean;
  /** Whether there is a final norm. */
  finalNorm: boolean;
  /** Whether norms have weights. */
  normWeights: boolean;
}

export interface FalconSettings {
  /** Whether the MLP has a norm of its own. */
  mlpNorm: boolean;
}
