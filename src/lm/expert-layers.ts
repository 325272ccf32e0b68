/**
 * Experts from weights by name. Checkpoints on the hub have three weights for each expert;
 * transformers 5 also writes one tensor for all experts, with gate and up in one. Both stay as they
 * are stored.
 */
import type { Builder } from './builder.js';
import { MixtureOfExperts, softmaxRouter, type SharedExpert } from './experts.js';
import type { ExpertsConfig } from './experts-config.js';
import { GatedMLP, Linear, type Layer } from './layers.js';
import { scope, type Tensor } from '../torch/index.js';

/** Names of an expert's weights: of gate, up and down. */
export interface ExpertNames {
  gate: string;
  up: string;
  down: string;
}

const projections: ExpertNames = { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };

/** Experts in one tensor for all below the name `at`: gate and up side by side, and down. */
export function stackedExperts(
  build: Builder,
  {
    at,
    config: { count, width: m },
    transposed = false,
  }: {
    at: string;
    config: ExpertsConfig;
    /** Whether weights are stored [in, out]. */
    transposed?: boolean;
  },
): Layer[] {
  const { weights } = build;
  const d = build.config.width;
  const stacked = (name: string, from: number, to: number): ((e: number) => Linear) => {
    const all = weights.take(`${at}.${name}`, transposed ? [count, from, to] : [count, to, from]);
    return (e) => {
      const own = (): Tensor => (transposed ? all.select(0, e).t() : all.select(0, e));
      return new Linear(weights.own(scope(own)), null, weights.packed);
    };
  };
  const both = stacked('gate_up_proj', d, 2 * m);
  const down = stacked('down_proj', m, d);
  return Array.from({ length: count }, (_, e) => {
    const gateUp = both(e);
    return new GatedMLP(
      {
        gateAndUp: (x) => gateUp.forward(x).chunk(2, -1) as [Tensor, Tensor],
        down: down(e),
      },
      build.config.activation,
    );
  });
}

/** Experts of a block, the names of whose weights begin with `at`, in either layout. */
export function gatedExperts(
  build: Builder,
  { at, config, names = projections }: { at: string; config: ExpertsConfig; names?: ExpertNames },
): Layer[] {
  if (build.weights.has(`${at}.gate_up_proj`)) return stackedExperts(build, { at, config });
  const { count, width } = config;
  return Array.from({ length: count }, (_, e) =>
    build.gatedMLP(`${at}.${e}`, { width, bias: false, names }),
  );
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
