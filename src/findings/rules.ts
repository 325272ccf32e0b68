/** The rules in the order of their findings. docs/reference/findings.md lists them. */
import type { Rule } from './rule.js';
import { baselineWins } from './rules/baseline-wins.js';
import { deadDictionary } from './rules/dead-dictionary.js';
import { definitionsDiffer } from './rules/definitions-differ.js';
import { denseDictionary } from './rules/dense-dictionary.js';
import { errorAgainstKl } from './rules/error-against-kl.js';
import { inputSpaces } from './rules/input-spaces.js';
import { insideNoise } from './rules/inside-noise.js';
import { klPerSequence } from './rules/kl-per-sequence.js';
import { l0NotAsPublished } from './rules/l0-not-as-published.js';
import { layersDiffer } from './rules/layers-differ.js';
import { measuredAfterNorm } from './rules/measured-after-norm.js';
import { mlsaeOffByOne } from './rules/mlsae-off-by-one.js';
import { modelFiles } from './rules/model-files.js';
import { nearIdentity } from './rules/near-identity.js';
import { pairsLeftOut } from './rules/pairs-left-out.js';
import { paddingShare } from './rules/padding-share.js';
import { positionsDiffer } from './rules/positions-differ.js';
import { randomkLayer } from './rules/randomk-layer.js';
import { recordsLost } from './rules/records-lost.js';
import { saeFailed } from './rules/sae-failed.js';
import { scaleMismatch } from './rules/scale-mismatch.js';
import { specialsDominate } from './rules/specials-dominate.js';
import { stopped } from './rules/stopped.js';
import { tooFewSamples } from './rules/too-few-samples.js';
import { transcoderSites } from './rules/transcoder-sites.js';
import { truncatedText } from './rules/truncated-text.js';

export const rules: readonly Rule[] = [
  saeFailed,
  modelFiles,
  recordsLost,
  stopped,
  nearIdentity,
  denseDictionary,
  deadDictionary,
  scaleMismatch,
  l0NotAsPublished,
  specialsDominate,
  baselineWins,
  inputSpaces,
  positionsDiffer,
  definitionsDiffer,
  layersDiffer,
  errorAgainstKl,
  measuredAfterNorm,
  mlsaeOffByOne,
  paddingShare,
  tooFewSamples,
  insideNoise,
  klPerSequence,
  pairsLeftOut,
  randomkLayer,
  transcoderSites,
  truncatedText,
];
