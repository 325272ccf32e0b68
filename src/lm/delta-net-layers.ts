/** Gated delta nets from weights by name: those of Qwen3.5, and of Qwen3-Next. */
import { ops, scope, type Tensor } from '../torch/index.js';
import type { Builder } from './builder.js';
import type { DeltaNetConfig } from './delta-net-config.js';
import { GatedDeltaNet, type DeltaNetInputs } from './gated-delta-net.js';

type Project = (x: Tensor) => DeltaNetInputs;

/** Four projections: of queries, keys and values, of the gate, of rates and of decays. */
export function separateInputs(build: Builder, at: string, sizes: DeltaNetConfig): Project {
  const { keyHeads, keyDim, valueHeads, valueDim } = sizes;
  const layer = (name: string, to: number) =>
    build.linear(`${at}.${name}`, { from: build.config.width, to, bias: false });
  const qkv = layer('in_proj_qkv', 2 * keyHeads * keyDim + valueHeads * valueDim);
  const z = layer('in_proj_z', valueHeads * valueDim);
  const b = layer('in_proj_b', valueHeads);
  const a = layer('in_proj_a', valueHeads);
  return (x) => ({
    qkv: qkv.forward(x),
    z: z.forward(x).unflatten(-1, [valueHeads, valueDim]),
    b: b.forward(x),
    a: a.forward(x),
  });
}

/** Two projections, in which what belongs to a head of keys lies side by side. */
export function groupedInputs(build: Builder, at: string, sizes: DeltaNetConfig): Project {
  const { keyHeads, keyDim, valueHeads, valueDim } = sizes;
  const perKey = valueHeads / keyHeads;
  const layer = (name: string, perHead: number) => {
    const to = keyHeads * perHead;
    const linear = build.linear(`${at}.${name}`, { from: build.config.width, to, bias: false });
    return (x: Tensor): Tensor => linear.forward(x).unflatten(-1, [keyHeads, perHead]);
  };
  const ofValues = perKey * valueDim;
  const qkvz = layer('in_proj_qkvz', 2 * keyDim + 2 * ofValues);
  const ba = layer('in_proj_ba', 2 * perKey);
  return (x) => {
    const [q, k, v, z] = qkvz(x).split_with_sizes([keyDim, keyDim, ofValues, ofValues], -1) as [
      ...[Tensor, Tensor, Tensor, Tensor],
    ];
    const [b, a] = ba(x).chunk(2, -1) as [Tensor, Tensor];
    return {
      qkv: ops.cat(
        [q, k, v].map((part) => part.flatten(2)),
        -1,
      ),
      z: z.flatten(2).unflatten(-1, [valueHeads, valueDim]),
      b: b.flatten(2),
      a: a.flatten(2),
    };
  };
}

/** The linear attention of block `i`, from 0. */
export function gatedDeltaNet(
  build: Builder,
  i: number,
  inputs: (build: Builder, at: string, sizes: DeltaNetConfig) => Project,
): GatedDeltaNet {
  const { config, weights } = build;
  const sizes = config.deltaNet!;
  const { keyHeads, keyDim, valueHeads, valueDim, kernel } = sizes;
  const at = `layers.${i}.linear_attn`;
  const exact = (name: string, shape: number[], of: (weight: Tensor) => Tensor): Tensor => {
    const weight = weights.take(`${at}.${name}`, shape);
    return weights.own(
      scope(() =>
        of(weight.to({ dtype: 'float32' }))
          .contiguous()
          .clone(),
      ),
    );
  };
  const channels = 2 * keyHeads * keyDim + valueHeads * valueDim;
  return new GatedDeltaNet(
    {
      project: inputs(build, at, sizes),
      convolution: exact('conv1d.weight', [channels, 1, kernel], (w) => w.squeeze(1).t()),
      decayRate: exact('A_log', [valueHeads], (w) => w.exp().neg()),
      decayBias: exact('dt_bias', [valueHeads], (w) => w),
      norm: exact('norm.weight', [valueDim], (w) => w),
      out: build.linear(`${at}.out_proj`, {
        from: valueHeads * valueDim,
        to: config.width,
        bias: false,
      }),
    },
    { ...sizes, activation: config.activation, normEps: config.normEps },
  );
}
