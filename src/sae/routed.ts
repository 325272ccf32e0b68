/** A dictionary behind a router that picks, or weighs, the routed layers of each token. */
import type { Tensor } from '../torch/index.js';
import type { RoutedForm } from './description.js';
import { Dictionary } from './dictionary.js';
import { route, type Routing } from './kinds/routesae.js';
import type { Making } from './sae.js';

export class RoutedDictionary extends Dictionary {
  /** Number of routed layers. */
  readonly R: number;
  readonly #router: Tensor; // [R, d]
  readonly #aggregation: 'sum' | 'mean';

  constructor(form: RoutedForm, making: Making) {
    super(form, making);
    this.#router = making.take(form.router);
    this.#aggregation = form.aggregation;
    this.R = this.#router.shape[0]!;
  }

  /** @param x inputs of the routed layers: [N, R, d]. */
  route(x: Tensor): Routing {
    return route(x, this.#router, this.#aggregation);
  }

  override dispose(): void {
    super.dispose();
    this.#router.dispose();
  }
}
