/** A project that uses every entry of the package: compiled with the package's declarations. */
import { evaluate, loadSAE, type EvaluationResult } from 'sae-eval';
import { SaeEvalClient } from 'sae-eval/client';
import { zeros } from 'sae-eval/torch';

const result: EvaluationResult = await evaluate({
  model: 'checkpoints/tiny-llama',
  dataset: { path: 'checkpoints/eval' },
  saes: [{ kind: 'TopK', checkpoint: 'checkpoints/TopK_tiny.pt', layer: 16, k: 16 }],
});
const sae = await loadSAE('checkpoints/TopK_tiny.pt', { kind: 'TopK', k: 16 });
console.log(result.results[0]?.label, sae, zeros([1]).toArray(), new SaeEvalClient('http://a'));
