/**
 * The parts in the order in which they run, with the seconds that each may take on a GPU. What is
 * checked comes first; what is measured is left out if the time is over.
 */
export const parts = [
  { name: 'device', seconds: 30 },
  { name: 'binding', seconds: 30 },
  { name: 'attention', seconds: 40 },
  { name: 'logits', seconds: 30 },
  { name: 'memory', seconds: 45 },
  { name: 'repeats', seconds: 45 },
  { name: 'half-precision', seconds: 30 },
  { name: 'language-models', seconds: 90 },
  { name: 'golden', seconds: 90 },
  { name: 'micro-batch', seconds: 40 },
  { name: 'kernels', seconds: 40 },
  { name: 'billion', seconds: 150 },
  { name: 'pytorch', seconds: 90 },
];
