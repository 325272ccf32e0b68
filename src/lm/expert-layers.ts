/**
 * Experts from weights by name. Checkpoints on the hub have three weights for each expert;
 * transformers 5 also writes one tensor for all experts, with gate and up in one. Both stay as they
 * are stored.
 */
import type { Builder } from './builder.js';
import { MixtureOfExperts, softmaxRouter, type SharedExpert } from './experts.js';
import type { ExpertsConfig } from './experts-config.js';
import { GatedMLP, Linear, type Layer } from './layers.js';
import type { Tensor } from '../torch/index.js';

/** Names of an expert's weights: of gate, up and down. */
export interface ExpertNames {
  gate: string;
  up: string;
  down: string;
}

const projections: ExpertNames = { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };

/** Experts of a block, the names of whose weights begin with `at`. */
export function gatedExperts(
  build: Builder,
  { at, config, names = projections }: { at: string; config: ExpertsConfig; names?: ExpertNames },
): Layer[] {
  const { weights } = build;
  const { count, width: m } = config;
  const d = build.config.width;
  const all = Array.from({ length: count }, (_, e) => e);
  if (!weights.has(`${at}.gate_up_proj`))
    return all.map((e) => build.gatedMLP(`${at}.${e}`, { width: m, bias: false, names }));
  const both = weights.take(`${at}.gate_up_proj`, [count, 2 * m, d]);
  const down = weights.take(`${at}.down_proj`, [count, d, m]);
  const of = (stacked: Tensor, e: number): Linear =>
    new Linear(weights.own(stacked.select(0, e)), null, weights.packed);
  return all.map((e) => {
    const gateUp = of(both, e);
    return new GatedMLP(
      {
        gateAndUp: (x) => gateUp.forward(x).chunk(2, -1) as [Tensor, Tensor],
        down: of(down, e),
      },
      build.config.activation,
    );
  });
}

/** Shared expert of a block of Qwen, with its gate. */
function sharedExpert(build: Builder, at: string, width: number | null): SharedExpert | null {
  if (width === null) return null;
  return {
    mlp: build.gatedMLP(`${at}.shared_expert`, { width, bias: false }),
    gate: build.linear(`${at}.shared_expert_gate`, {
      from: build.config.width,
      to: 1,
      bias: false,
    }),
  };
}

/**
 * MLP of block `i`, from 0: a mixture with Qwen's names below `at`, or a dense MLP, as
 * `config.json` says.
 */
export function sparseMLP(
  build: Builder,
  i: number,
  { at = `layers.${i}.mlp`, names }: { at?: string; names?: ExpertNames } = {},
): Layer {
  const config = build.config.experts!;
  if (!config.inBlock[i]!) return build.gatedMLP(at);
  const { count, sharedWidth } = config;
  const gate = build.linear(`${at}.gate`, { from: build.config.width, to: count, bias: false });
  return new MixtureOfExperts({
    router: softmaxRouter(gate, config),
    experts: gatedExperts(build, {
      at: `${at}.experts`,
      config,
      ...(names === undefined ? {} : { names }),
    }),
    shared: sharedExpert(build, at, sharedWidth),
  });
}
