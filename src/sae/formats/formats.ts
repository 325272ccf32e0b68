/** The formats of SAE files, in the order in which they are tried. */
import { circuitTracer } from './circuit-tracer.js';
import { circuitTracerLayers } from './circuit-tracer-layers.js';
import { connorRobHookZ } from './connor-rob-hook-z.js';
import { crosscoder } from './crosscoder.js';
import { dictionaryLearning } from './dictionary-learning.js';
import type { Format } from './format.js';
import { gemmaScope } from './gemma-scope.js';
import { gemmaScope2 } from './gemma-scope-2.js';
import { gemmaScope2Layers } from './gemma-scope-2-layers.js';
import { llamaScope } from './llama-scope.js';
import { mlsae } from './mlsae.js';
import { openAi } from './openai.js';
import { openMoss } from './openmoss.js';
import { plain } from './plain.js';
import { qwenScope } from './qwen-scope.js';
import { routeSae } from './routesae.js';
import { saelens } from './saelens.js';
import { sparsify } from './sparsify.js';
import { temporal } from './temporal.js';

export const formats: readonly Format[] = [
  saelens,
  openMoss,
  sparsify,
  dictionaryLearning,
  mlsae,
  crosscoder,
  llamaScope,
  gemmaScope,
  gemmaScope2,
  gemmaScope2Layers,
  circuitTracer,
  circuitTracerLayers,
  openAi,
  qwenScope,
  connorRobHookZ,
  temporal,
  plain,
  routeSae, // takes every file that none before it does
];
