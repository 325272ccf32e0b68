/**
 * Temporal SAE (Lubana et al., "Priors in Time: Missing Inductive Biases for Language Model
 * Interpretability", 2025, arXiv:2511.01836): attention over the tokens before predicts a part of
 * each activation, and a sparse dictionary explains what is new. With x less the decoder bias, and
 * r = x at first, each attention layer takes off what it predicts:
 *
 *   u = relu(W_e r);   p = relu(attention(queries of u_t, keys and values of u_0 … u_{t−1}));
 *   v = W_d p;   r ← r − v (v · r) / (‖v‖ + 1e-6)²
 *   z = activation(W_e r);   x̂ = W_d z + (x − r) + b_dec
 *
 * The latents are those of what is new. The first token attends to a zero vector.
 */
import { ops, scope, type Tensor } from '../torch/index.js';
import type { AttentionLayer, LinearLayer, TemporalForm } from './description.js';
import { Dictionary } from './dictionary.js';
import type { Latents, Override } from './latents.js';
import type { Products } from './product.js';
import type { Making, TakeTensor } from './sae.js';

/** Number that is added to the norm of a prediction. */
const epsilon = 1e-6;

class Linear {
  readonly #weight: Tensor; // [out, in]
  readonly #bias: Tensor; // [out]
  readonly #products: Products;

  constructor({ weight, bias }: LinearLayer, take: TakeTensor, products: Products) {
    this.#weight = take(weight);
    this.#bias = take(bias);
    this.#products = products;
  }

  forward(x: Tensor): Tensor {
    return this.#products.linear(x, this.#weight, this.#bias);
  }

  dispose(): void {
    this.#weight.dispose();
    this.#bias.dispose();
  }
}

/** Attention of each token to the ones before it. */
class Attention {
  readonly #layers: Readonly<Record<keyof AttentionLayer, Linear>>;
  readonly #heads: number;

  constructor(layer: AttentionLayer, heads: number, { take, products }: Making) {
    const linear = (one: LinearLayer): Linear => new Linear(one, take, products);
    this.#heads = heads;
    this.#layers = {
      query: linear(layer.query),
      key: linear(layer.key),
      value: linear(layer.value),
      output: linear(layer.output),
    };
  }

  /** u [N, m], sequences of T rows one after the other → [N, m]. */
  forward(u: Tensor, T: number): Tensor {
    const [N, m] = u.shape as [number, number];
    const { query, key, value, output } = this.#layers;
    const rows = u.reshape([N / T, T, m]);
    const first = ops.zeros_like(rows.narrow(1, 0, 1));
    const before = ops.cat([first, rows.narrow(1, 0, T - 1)], 1).reshape([N, m]);
    const heads = (values: Tensor): Tensor =>
      values.reshape([N / T, T, this.#heads, -1]).transpose(1, 2); // [B, H, T, w]
    const attended = ops.scaled_dot_product_attention(
      heads(query.forward(u)),
      heads(key.forward(before)),
      heads(value.forward(before)),
      { is_causal: true },
    );
    return output.forward(attended.transpose(1, 2).reshape([N, m]));
  }

  dispose(): void {
    for (const layer of Object.values(this.#layers)) layer.dispose();
  }
}

export class Temporal extends Dictionary {
  readonly #bias: Tensor; // [d]
  readonly #isSubtracted: boolean;
  readonly #attention: readonly Attention[];

  constructor(form: TemporalForm, making: Making) {
    super({ ...form, form: 'temporal', decoderBias: null, subtractDecoderBias: false }, making);
    this.#bias = scope(() => making.take(form.decoderBias!).reshape([-1]));
    this.#isSubtracted = form.subtractDecoderBias;
    this.#attention = form.attention.map((layer) => new Attention(layer, form.heads, making));
  }

  /** [N, d] → [N, m + d]: the pre-activations of what is new, and what was predicted. */
  override preactivate(x: Tensor, T = x.shape[0]!): Tensor {
    return scope(() => {
      const centered = this.#isSubtracted ? x.sub(this.#bias) : x;
      let rest = centered;
      for (const attention of this.#attention) {
        const attended = attention.forward(super.preactivate(rest).relu(), T);
        const predicted = super.decode({ form: 'dense', values: attended.relu() }); // [N, d]
        const norm = ops.linalg_vector_norm(predicted, 2, [-1], { keepdim: true }).add(epsilon);
        const share = predicted.mul(rest).sum([-1], { keepdim: true }).div(norm.square());
        rest = rest.sub(predicted.mul(share));
      }
      return ops.cat([super.preactivate(rest), centered.sub(rest)], -1);
    });
  }

  override activate(a: Tensor, override: Override): Latents {
    const latents = super.activate(a.narrow(-1, 0, this.m).contiguous(), override);
    return { ...latents, predicted: a.narrow(-1, this.m, this.d) };
  }

  override decode(z: Latents): Tensor {
    if (z.predicted === undefined) throw new Error('latents without what was predicted');
    const { predicted } = z;
    return scope(() => super.decode(z).add(predicted).add(this.#bias));
  }

  override dispose(): void {
    super.dispose();
    this.#bias.dispose();
    for (const attention of this.#attention) attention.dispose();
  }
}
