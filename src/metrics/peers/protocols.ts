/**
 * Protocols of other tools, of which a run gives the numbers beside its own: SAELens'
 * `sae_lens/evals.py` and SAEBench's `evals/core/main.py`, by their versions.
 */

export const peerProtocolNames = [
  'saelens@6.52',
  'saelens@6.45.2',
  'saelens@6.44',
  'saebench@0.6',
] as const;
export type PeerProtocol = (typeof peerProtocolNames)[number];

/** Names without a version, and the version that each means. */
export const peerAliases = {
  saelens: 'saelens@6.52',
  saebench: 'saebench@0.6',
} as const satisfies Record<string, PeerProtocol>;
export type PeerAlias = keyof typeof peerAliases;

/** The definitions in which the tools and their versions differ. */
export interface PeerRules {
  tool: PeerAlias;
  /** Special tokens whose positions do not count, by the tokenizer's names. */
  specials: readonly string[];
  /** Latents that `l0` counts. */
  l0: 'positive' | 'not zero';
  /** Latents that densities count. */
  density: 'positive' | 'not zero';
  l1: 'signed' | 'magnitudes';
  /** `pooled`: over all tokens at once. `means of batches`: SAEBench's. */
  explainedVariance: 'pooled' | 'means of batches';
  /** Whether `mse` is divided by the tokens of the batch once more. */
  mseShrinks: boolean;
  /** Positions that a splice leaves as they are. */
  leaves: 'specials' | 'specials, not at heads' | 'none unless asked';
  /** Whether its KL takes logarithms of probabilities, which may be zero. */
  klUnderflows: boolean;
  /** Whether the tool saves numbers that depend on the weights alone. */
  weights: boolean;
}

const saelens: PeerRules = {
  tool: 'saelens',
  specials: ['bos_token', 'eos_token', 'pad_token', 'sep_token', 'decoder_start_token'],
  l0: 'not zero',
  density: 'not zero',
  l1: 'magnitudes',
  explainedVariance: 'pooled',
  mseShrinks: false,
  leaves: 'specials',
  klUnderflows: false,
  weights: false,
};

const before652: PeerRules = {
  ...saelens,
  l0: 'positive',
  density: 'positive',
  l1: 'signed',
  leaves: 'specials, not at heads',
};

export const peerRules: Readonly<Record<PeerProtocol, PeerRules>> = {
  'saelens@6.52': saelens,
  'saelens@6.45.2': before652,
  'saelens@6.44': { ...before652, explainedVariance: 'means of batches', mseShrinks: true },
  'saebench@0.6': {
    tool: 'saebench',
    specials: ['pad_token', 'eos_token', 'bos_token'],
    l0: 'not zero',
    density: 'positive',
    l1: 'signed',
    explainedVariance: 'means of batches',
    mseShrinks: true,
    leaves: 'none unless asked',
    klUnderflows: true,
    weights: true,
  },
};

/** Whether a protocol is one of another tool, with its version. */
export const isPeerProtocol = (name: string): name is PeerProtocol =>
  (peerProtocolNames as readonly string[]).includes(name);

/** The protocols of other tools among some names, in full and each once. */
export function peersAmong(names: readonly string[]): PeerProtocol[] {
  const full = names.map((name) => peerAliases[name as PeerAlias] ?? name);
  return [...new Set(full.filter(isPeerProtocol))];
}
