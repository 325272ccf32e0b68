/**
 * The latents of the same pre-activations under several overrides. The prefixes of a sweep share
 * those of the whole SAE, which are computed once.
 */
import { withinPrefix, type Latents, type Override } from '../../sae/index.js';
import type { Tensor } from '../../torch/index.js';

interface Activating {
  activate(a: Tensor, override: Override): Latents;
}

export class LatentsOf {
  readonly #sae: Activating;
  readonly #preactivations: Tensor; // [N, m]
  #own: Latents | null = null;

  /** Its latents belong to the scope in which they are first asked for: let that be one. */
  constructor(sae: Activating, preactivations: Tensor) {
    this.#sae = sae;
    this.#preactivations = preactivations;
  }

  under(override: Override): Latents {
    const isPrefix = override !== null && 'prefix' in override;
    if (override !== null && !isPrefix) return this.#sae.activate(this.#preactivations, override);
    this.#own ??= this.#sae.activate(this.#preactivations, null);
    return isPrefix ? withinPrefix(this.#own, override.prefix) : this.#own;
  }
}
