/**
 * The families of language models and how each one's `config.json` is read. Loads nothing native:
 * the forward passes are in a file per family, joined to these names in `registry.ts`. Defaults are
 * those of transformers' configuration classes.
 */
import { SaeEvalError } from '../errors.js';
import type { Activation, ModelConfig } from './config.js';
import type { JsonFields } from './json-fields.js';
import { readRope, readRopeSection, type RopeConfig } from './rope-config.js';

export const familyNames = [
  'llama',
  'mistral',
  'qwen2',
  'qwen3',
  'gpt2',
  'gpt-neox',
  'gemma2',
  'gemma3',
  'phi3',
  'olmo2',
] as const;
export type FamilyName = (typeof familyNames)[number];

type Read = Omit<ModelConfig, 'path'>;

export interface Family {
  /** `model_type` values of `config.json`. */
  modelTypes: readonly string[];
  read: (config: JsonFields) => Read;
}

/** By the names that transformers has for them. */
export const activations: ReadonlyMap<string, Activation> = new Map([
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['gelu', 'gelu'],
  ['gelu_python', 'gelu'],
  ['relu', 'relu'],
  ['gelu_new', 'gelu_tanh'],
  ['gelu_pytorch_tanh', 'gelu_tanh'],
  ['gelu_python_tanh', 'gelu_tanh'],
  ['gelu_fast', 'gelu_tanh'],
  ['gelu_accurate', 'gelu_tanh'],
  ['gelu_10', 'gelu_10'],
  ['quick_gelu', 'quick_gelu'],
  ['relu2', 'relu2'],
  ['relu6', 'relu6'],
  ['leaky_relu', 'leaky_relu'],
  ['mish', 'mish'],
  ['hardswish', 'hardswish'],
  ['tanh', 'tanh'],
  ['sigmoid', 'sigmoid'],
  ['linear', 'linear'],
]);

function readActivation(config: JsonFields, name: string, fallback: string): Activation {
  return (
    activations.get(config.string(name, fallback)) ??
    config.unsupported(name, `one of ${[...activations.keys()].join(', ')}`)
  );
}

/** A list is made for the blocks before anything of them is seen. */
const mostLayers = 10_000;

type Sizes = Pick<
  ModelConfig,
  | 'layers'
  | 'width'
  | 'vocabulary'
  | 'maxPositions'
  | 'heads'
  | 'keyValueHeads'
  | 'headDim'
  | 'mlpWidth'
>;

function headDimOf(
  config: JsonFields,
  {
    width,
    heads,
    names,
    fallback,
  }: { width: number; heads: number; names: { width: string; heads: string }; fallback?: number },
): number {
  const given = config.size('head_dim', fallback ?? null);
  if (given === null && width % heads !== 0)
    config.invalid(names.heads, `a divisor of ${names.width} (${width})`);
  return given ?? width / heads;
}

/** What a family's files may leave out. */
type SizeDefaults = Partial<
  Pick<Sizes, 'vocabulary' | 'maxPositions' | 'heads' | 'keyValueHeads' | 'headDim'>
>;

/** Sizes under the names most families share. */
function readSizes(config: JsonFields, { headDim, ...defaults }: SizeDefaults = {}): Sizes {
  const width = config.size('hidden_size');
  const heads = config.size<number>('num_attention_heads', defaults.heads);
  // null is as many as there are heads, whatever the family's own number
  const keyValueHeads = config.size(
    'num_key_value_heads',
    config.names().includes('num_key_value_heads') ? heads : (defaults.keyValueHeads ?? heads),
  );
  if (heads % keyValueHeads !== 0)
    config.invalid('num_key_value_heads', `a divisor of the ${heads} attention heads`);
  return {
    layers: config.size<number>('num_hidden_layers', undefined, { atMost: mostLayers }),
    width,
    vocabulary: config.size<number>('vocab_size', defaults.vocabulary),
    maxPositions: config.size<number>('max_position_embeddings', defaults.maxPositions),
    heads,
    keyValueHeads,
    headDim: headDimOf(config, {
      width,
      heads,
      names: { width: 'hidden_size', heads: 'num_attention_heads' },
      ...(headDim === undefined ? {} : { fallback: headDim }),
    }),
    mlpWidth: config.size('intermediate_size'),
  };
}

/** For fields whose `null` means none and whose absence means the family's default. */
function numberOrNone(config: JsonFields, name: string, fallback: number): number | null {
  return config.names().includes(name) ? config.number(name, null) : fallback;
}

function eachLayer<T>(layers: number, of: (index: number) => T): T[] {
  return Array.from({ length: layers }, (_, index) => of(index));
}

/** A decoder in Llama's manner, with what a family does otherwise put over it. */
function decoder(
  family: FamilyName,
  config: JsonFields,
  { sizes = readSizes(config), rope }: { sizes?: Sizes; rope?: RopeConfig | null } = {},
  otherwise: Partial<Read> = {},
): Read {
  const everywhere = rope === undefined ? readRope(config, sizes) : rope;
  return {
    ...sizes,
    // A scaling that grows with the length is for lengths beyond the trained ones.
    maxPositions:
      everywhere?.scaling.kind === 'dynamic'
        ? Math.floor(sizes.maxPositions * everywhere.scaling.factor)
        : sizes.maxPositions,
    family,
    normEps: config.number('rms_norm_eps', 1e-6),
    activation: readActivation(config, 'hidden_act', 'silu'),
    tiedHead: config.boolean('tie_word_embeddings', false),
    attentionBias: config.boolean('attention_bias', false),
    mlpBias: config.boolean('mlp_bias', false),
    windows: eachLayer(sizes.layers, () => null),
    ropes: eachLayer(sizes.layers, () => everywhere),
    attentionScale: eachLayer(sizes.layers, () => sizes.headDim ** -0.5),
    attentionSoftcap: null,
    logitSoftcap: null,
    parallelResidual: false,
    ...otherwise,
  };
}

/** Whether each layer's attention slides, from `layer_types` or else by the family's own rule. */
function readSliding(
  config: JsonFields,
  layers: number,
  rule: (index: number) => boolean,
): boolean[] {
  const types = config.strings('layer_types');
  if (types === null) return eachLayer(layers, rule);
  if (types.length !== layers) config.invalid('layer_types', `a list of ${layers}, one per block`);
  return types.map((type) => {
    if (type !== 'sliding_attention' && type !== 'full_attention')
      config.unsupported('layer_types', 'sliding_attention or full_attention for each block');
    return type === 'sliding_attention';
  });
}

function readWindows(
  config: JsonFields,
  layers: number,
  { size, rule }: { size: number | null; rule: (index: number) => boolean },
): (number | null)[] {
  return readSliding(config, layers, rule).map((slides) => (slides ? size : null));
}

const llama: Family = { modelTypes: ['llama'], read: (config) => decoder('llama', config) };

const mistral: Family = {
  modelTypes: ['mistral'],
  read(config) {
    const sizes = readSizes(config, { keyValueHeads: 8 });
    const window = numberOrNone(config, 'sliding_window', 4096);
    return decoder(
      'mistral',
      config,
      { sizes },
      { attentionBias: false, mlpBias: false, windows: eachLayer(sizes.layers, () => window) },
    );
  },
};

function readQwen(family: 'qwen2' | 'qwen3', config: JsonFields): Read {
  const sizes = readSizes(config, {
    keyValueHeads: 32,
    ...(family === 'qwen3' ? { headDim: 128 } : {}),
  });
  const size = config.boolean('use_sliding_window', false)
    ? config.size('sliding_window', 4096)
    : null;
  const full = config.number('max_window_layers', 28);
  const windows = readWindows(config, sizes.layers, {
    size,
    rule: (index) => size !== null && index >= full,
  });
  return decoder(family, config, { sizes }, { windows, mlpBias: false });
}

const qwen2: Family = {
  modelTypes: ['qwen2'],
  read: (config) => ({ ...readQwen('qwen2', config), attentionBias: true }),
};
const qwen3: Family = { modelTypes: ['qwen3'], read: (config) => readQwen('qwen3', config) };

const gpt2: Family = {
  modelTypes: ['gpt2'],
  read(config) {
    const width = config.size('n_embd', 768);
    const heads = config.size('n_head', 12);
    const layers = config.size('n_layer', 12, { atMost: mostLayers });
    const headDim = headDimOf(config, {
      width,
      heads,
      names: { width: 'n_embd', heads: 'n_head' },
    });
    const sizes: Sizes = {
      layers,
      width,
      heads,
      headDim,
      keyValueHeads: heads,
      vocabulary: config.size('vocab_size', 50_257),
      maxPositions: config.size('n_positions', 1024),
      mlpWidth: config.size('n_inner', 4 * width),
    };
    const scale = config.boolean('scale_attn_weights', true) ? headDim ** -0.5 : 1;
    const byDepth = config.boolean('scale_attn_by_inverse_layer_idx', false);
    return decoder(
      'gpt2',
      config,
      { sizes, rope: null },
      {
        normEps: config.number('layer_norm_epsilon', 1e-5),
        activation: readActivation(config, 'activation_function', 'gelu_new'),
        tiedHead: config.boolean('tie_word_embeddings', true),
        attentionBias: true,
        mlpBias: true,
        attentionScale: eachLayer(layers, (index) => (byDepth ? scale / (index + 1) : scale)),
      },
    );
  },
};

const gptNeoX: Family = {
  modelTypes: ['gpt_neox'],
  read(config) {
    const sizes = readSizes(config);
    const rope = readRope(config, {
      ...sizes,
      theta: config.number('rotary_emb_base', 10_000),
      partial: config.number('rotary_pct', 0.25),
    });
    return decoder(
      'gpt-neox',
      config,
      { sizes, rope },
      {
        normEps: config.number('layer_norm_eps', 1e-5),
        activation: readActivation(config, 'hidden_act', 'gelu'),
        attentionBias: config.boolean('attention_bias', true),
        mlpBias: true,
        parallelResidual: config.boolean('use_parallel_residual', true),
      },
    );
  },
};

function readGemma(
  family: 'gemma2' | 'gemma3',
  config: JsonFields,
  sizes: Sizes,
  otherwise: Partial<Read>,
): Read {
  if (config.boolean('use_bidirectional_attention', false))
    config.unsupported('use_bidirectional_attention', 'false (causal attention)');
  return decoder(
    family,
    config,
    { sizes, ...(otherwise.ropes === undefined ? {} : { rope: null }) },
    {
      activation: readActivation(config, 'hidden_activation', 'gelu_pytorch_tanh'),
      tiedHead: config.boolean('tie_word_embeddings', true),
      mlpBias: false,
      attentionScale: eachLayer(
        sizes.layers,
        () => config.number('query_pre_attn_scalar', 256) ** -0.5,
      ),
      ...otherwise,
    },
  );
}

const gemma2: Family = {
  modelTypes: ['gemma2'],
  read(config) {
    const sizes = readSizes(config, { keyValueHeads: 4, headDim: 256 });
    return readGemma('gemma2', config, sizes, {
      windows: readWindows(config, sizes.layers, {
        size: numberOrNone(config, 'sliding_window', 4096),
        rule: (index) => index % 2 === 0,
      }),
      attentionSoftcap: numberOrNone(config, 'attn_logit_softcapping', 50),
      logitSoftcap: numberOrNone(config, 'final_logit_softcapping', 30),
    });
  },
};

const gemma3: Family = {
  modelTypes: ['gemma3_text', 'gemma3'],
  read(whole) {
    // The multimodal model's file has the text model's as a section, without what is as usual.
    const config = whole.section('text_config') ?? whole;
    const sizes = readSizes(config, {
      vocabulary: 262_208,
      maxPositions: 131_072,
      heads: 8,
      keyValueHeads: 4,
      headDim: 256,
    });
    const pattern = config.size('sliding_window_pattern', 6);
    const sliding = readSliding(config, sizes.layers, (index) => (index + 1) % pattern !== 0);
    const size = numberOrNone(config, 'sliding_window', 4096);
    // transformers 5 has a section per kind of layer; before, `rope_scaling` was of the full layers
    // alone
    const sections = config.section('rope_parameters');
    const full = readRopeSection(
      sections?.section('full_attention') ?? config.section('rope_scaling'),
      config,
      { ...sizes, theta: 1_000_000 },
    );
    const localTheta = config.number('rope_local_base_freq', 10_000);
    const localSection = sections?.section('sliding_attention') ?? null;
    const local: RopeConfig =
      localSection === null
        ? { theta: localTheta, dim: full.dim, scaling: { kind: 'default' } }
        : readRopeSection(localSection, config, { ...sizes, theta: localTheta });
    return readGemma('gemma3', config, sizes, {
      windows: sliding.map((slides) => (slides ? size : null)),
      ropes: sliding.map((slides) => (slides ? local : full)),
      logitSoftcap: config.number('final_logit_softcapping', null),
    });
  },
};

const phi3: Family = {
  modelTypes: ['phi3'],
  read(config) {
    const sizes = readSizes(config);
    const window = config.size('sliding_window', null);
    return decoder(
      'phi3',
      config,
      {
        sizes,
        rope: readRope(config, {
          ...sizes,
          partial: 1,
          originalPositions: 4096,
          yarnIsLongrope: true,
        }),
      },
      {
        normEps: config.number('rms_norm_eps', 1e-5),
        attentionBias: false,
        mlpBias: false,
        windows: eachLayer(sizes.layers, () => window),
      },
    );
  },
};

const olmo2: Family = {
  modelTypes: ['olmo2'],
  read: (config) =>
    decoder('olmo2', config, {}, { normEps: config.number('rms_norm_eps', 1e-5), mlpBias: false }),
};

export const families: Readonly<Record<FamilyName, Family>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
  gpt2,
  'gpt-neox': gptNeoX,
  gemma2,
  gemma3,
  phi3,
  olmo2,
};

/** @throws SaeEvalError `model-unsupported` with the families there are. */
export function familyOf(config: JsonFields): Family {
  if (config.has('quantization_config'))
    config.unsupported(
      'quantization_config',
      'none (weights in float32, float16 or bfloat16); in Python, model.dequantize() gives ' +
        'such weights',
    );
  const type = config.string('model_type', null);
  const found = Object.values(families).find(
    ({ modelTypes }) => type !== null && modelTypes.includes(type),
  );
  if (found === undefined) {
    throw new SaeEvalError(
      'model-unsupported',
      `${config.file}: model_type: expected one of ${Object.values(families)
        .flatMap(({ modelTypes }) => modelTypes)
        .join(', ')}, found ${type ?? 'nothing'}.`,
    );
  }
  return found;
}
