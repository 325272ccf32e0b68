/**
 * Results and records as servers and `evaluate` give them.
 * Made from the schemas by `npx vitest run test/schema --update`: do not edit.
 */
import type { Bilingual } from '../../bilingual.js';
import type { ReferenceValues, StrictValues } from '../../metrics/table.js';
import type { FloatDtype, MetricName, NormalizationName, SaeKind } from '../names.js';
import type { PerLayer, ReplacementValues } from '../result.js';
import type { EvaluationStatus } from '../status.js';
import type { Exclude } from './request-types.js';

export interface EvaluationRecord {
  id: string;
  status: EvaluationStatus;
  /** Time, ISO 8601 in UTC. */
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  request: ResolvedRequest;
  /** Device that it asks for; `config.device` of the result is the one that it had. */
  device: string;
  /** Label of the API key that submitted it; null without keys. */
  submittedBy: string | null;
  /** Whether other API keys may read it: as its request says, else as the server is set. */
  shared: boolean;
  /** Whether it was stopped and has a result over the samples done until then. */
  stopped: boolean;
  /** Id of the evaluation that this one repeats, with or without changes; else null. */
  rerunOf: string | null;
  /**
   * Position in the queue of its device, from 1; null if it does not wait, or no device of the
   * machine takes it.
   */
  position: number | null;
  /** The device that it waits for if this machine does not have it now; else null. */
  waitingFor: Bilingual | null;
  /** Number of times a compute process started it. */
  attempts: number;
  progress: Progress | null;
  error: RecordError | null;
  /** Null until the evaluation has ended. */
  result: EvaluationResult | null;
}

/** A request with every default filled in. */
export interface ResolvedRequest {
  /** Folder of a Hugging Face model, or its name in the local cache. */
  model: string;
  /** Text to evaluate on. */
  dataset: Dataset;
  /** SAEs to evaluate, all in one pass. */
  saes: ResolvedSaeSpec[];
  /** Metrics to compute; default all. */
  metrics: MetricName[];
  /**
   * Protocols to measure under. saelens and saebench, with a version or without, give the
   * numbers of those tools beside ours, under their names, whatever metrics says.
   */
  protocol: (
    | 'reference'
    | 'strict'
    | 'saelens@6.52'
    | 'saelens@6.45.2'
    | 'saelens@6.44'
    | 'saebench@0.6'
    | 'saelens'
    | 'saebench'
  )[];
  /**
   * Whether the splice of saebench leaves special tokens as they are, as its option
   * --exclude_special_tokens_from_reconstruction does; default: false.
   */
  excludeSpecialsFromReconstruction?: boolean | undefined;
  /**
   * Samples per batch in the averages of `reference`, saelens and saebench; memory depends on it
   * under the latter two alone.
   */
  batchSize: number;
  /**
   * First samples that are spliced: KLDiv, DeltaCE, Recovered and NextTokenAgreement are over
   * them, the other metrics over all. Splices take most of the time. Default: all samples.
   */
  spliceSamples?: number | undefined;
  /**
   * Device to compute on: cpu, cuda (any CUDA device) or one such as cuda:1; default: cuda if
   * there is one, else cpu.
   */
  device?: string | undefined;
  /** dtype of the language model. */
  dtype: FloatDtype;
  /** dtype of the SAEs. */
  saeDtype: FloatDtype;
  /**
   * Makes a table of all latents of every SAE, with so many top contexts each; 0: the table
   * without contexts. Default: no table.
   */
  latents?: number | undefined;
  /**
   * Positions that strict neither measures nor splices: none, specials, a list of token ids, or
   * { positions: [from, to] }, the range that stays. Default: what the file of each SAE says,
   * else none.
   */
  exclude?: Exclude | undefined;
  /** Number of active latents instead of `k`; a list makes a sweep. */
  inferK?: number | number[] | undefined;
  /** Threshold above which latents are active; a list makes a sweep. */
  theta?: number | number[] | undefined;
  /**
   * Numbers of first latents, increasing, each a point of a sweep: the latents of the whole SAE,
   * zero beyond the prefix. "groups": the nested groups of Matryoshka SAEs, as their files tell.
   * Not beside inferK or theta.
   */
  prefixes?: 'groups' | number[] | undefined;
  /**
   * Whether the dictionaries of each pair of SAEs on one place are compared: PW-MCC and MMCS of
   * their decoders and of their latents on the same tokens. Not in shards. Default false.
   */
  dictionaries?: boolean | undefined;
  /**
   * Whether first-letter absorption is measured: do latents for words take over from the latent
   * for their first letter? By the words of the model's vocabulary. Not in shards. Default
   * false.
   */
  absorption?: boolean | undefined;
  /**
   * Labelled data sets with which the SAEs are probed: does a latent tell the label? Not in
   * shards.
   */
  probes?: ProbeDataset[] | undefined;
  /** Seed of RandomK's layer and of the bootstrap. */
  seed: number;
  /** Name of the run, to find it by. */
  name?: string | undefined;
  /** Tags of the run, to find it by. */
  tags?: string[] | undefined;
  /** Notes on the run, free text. */
  notes?: string | undefined;
  /** Texts by name, such as the commit that wrote the checkpoints. */
  metadata?: Record<string, string> | undefined;
  /** Whether other API keys of the server may read it; default: as the server is set. */
  shared?: boolean | undefined;
}

export interface Dataset {
  /**
   * Path of a data file or of a folder of them: .jsonl, plain or compressed (.gz, .zst),
   * .parquet, .json with a list of records, or .txt. A folder with .jsonl files is read for
   * these only. A folder without data files is read for those of its one sub-folder.
   */
  path: string;
  /** Split to read, such as train; required if the files of several lie together. */
  split?: string | undefined;
  /** Field of a record that has its text, or a dotted path to it. */
  textField: string;
  /** Field of a record that has token ids, used instead of text. */
  tokensField?: string | undefined;
  /**
   * Field of a record that has a conversation, a list of { role, content }: the model's chat
   * template renders it. Used instead of text.
   */
  messagesField?: string | undefined;
  /**
   * Roles whose tokens count under strict, such as assistant; the others are left out as by
   * exclude. Default: every token counts. With messagesField only.
   */
  roles?: ('system' | 'developer' | 'user' | 'assistant' | 'tool')[] | undefined;
  /**
   * How records become samples. words (default): chunks of seqLen words. document (default of
   * conversations): one sample for each record. packed: all tokens one after another. saelens:
   * as SAELens packs text, without special tokens but a BOS at the head of each sample and
   * between records; the tail is dropped.
   */
  chunking?: 'words' | 'document' | 'packed' | 'saelens' | undefined;
  /**
   * Whether each sample begins with the BOS token. Default: what the files of the SAEs say where
   * they agree, else the tokenizer's own way.
   */
  prependBos?: boolean | undefined;
  /** Seed that shuffles the samples; default: no shuffle. */
  shuffle?: number | undefined;
  /** Most samples to read. */
  maxSamples: number;
  /** Tokens per sample, up to the positions of the model. */
  seqLen: number;
}

export interface ResolvedSaeSpec {
  /**
   * Path of a checkpoint file, or of a folder or file in a published format; or its name in the
   * local Hugging Face cache: org/name[@revision][:path].
   */
  checkpoint: string;
  /** Kind of the SAE. Required if the file could be several. */
  kind?: SaeKind | undefined;
  /**
   * Layer, 1…L. Required for TopK, Vanilla, Gated, JumpReLU unless the file names a hook point
   * or its name has a layer. The seed draws RandomK's layer if it is omitted.
   */
  layer?: number | undefined;
  /**
   * Hook point that the SAE reads and writes, in the words of SAELens, TransformerLens or
   * Hugging Face: blocks.5.hook_mlp_out, model.layers.5.mlp.output. For SAEs on one place whose
   * files do not say; instead of `layer`.
   */
  hook?: string | undefined;
  /**
   * Hook point that a transcoder predicts, in the same words. An SAE of one hook point whose
   * file says nothing of it becomes a transcoder: what it decodes is measured there.
   */
  hookOut?: string | undefined;
  /**
   * Number of active latents, 1…m. Required for TopK, RouteSAE, MLSAE, RandomK unless the SAE's
   * configuration or file name has it.
   */
  k?: number | undefined;
  /**
   * Factor of the input, for published SAEs whose files lack it (crosscoders: one for each
   * layer).
   */
  scale?: number | number[] | undefined;
  /**
   * Whether the SAE was trained on a residual stream without its mean (TransformerLens'
   * center_writing_weights), for published SAEs whose files do not say.
   */
  centered?: boolean | undefined;
  /** Positions that do not count for this SAE; default: those of the request. */
  exclude?: Exclude | undefined;
  /**
   * How activations become the input of an SAE whose file cannot say: none (raw), pre,
   * layer-norm or token-norm.
   */
  normalization?: NormalizationName | undefined;
  /**
   * Whether the decoder bias is subtracted from the input first, for SAEs whose files cannot
   * say.
   */
  preBias?: boolean | undefined;
  /** Prefix of the tensors, to choose one of several SAEs in a file. */
  prefix?: string | undefined;
  /** Aggregation of the router, RouteSAE only; default sum. */
  aggregation?: 'sum' | 'mean' | undefined;
  /** Routing, RouteSAE only; default hard. */
  routing?: 'hard' | 'soft' | undefined;
  /**
   * Unique name of the SAE; default: the kind, numbered if repeated. With `checkpoints`: what
   * the names of all of them begin with.
   */
  label?: string | undefined;
}

export interface ProbeDataset {
  /** Path of a data file, or of a folder of them, whose records have a text and a label. */
  path: string;
  /** Name of the data set in the result; default: its path. */
  name?: string | undefined;
  /** Split to read, if the files of several lie together. */
  split?: string | undefined;
  /** Field of a record that has its text. */
  textField: string;
  /** Field of a record that has its label: a string, a whole number or a boolean. */
  labelField: string;
  /** Tokens of a text that are read, from its beginning. */
  seqLen: number;
  /** Documents of each label, the first ones. */
  maxPerLabel: number;
  /**
   * What is done with the labels; default: sparseProbing and targetedPerturbation, and
   * spuriousRemoval if there is a spuriousField.
   */
  tasks?: ('sparseProbing' | 'targetedPerturbation' | 'spuriousRemoval')[] | undefined;
  /**
   * Field of a record with a second label that goes along with the first by chance, such as a
   * gender beside a profession; both have two values.
   */
  spuriousField?: string | undefined;
}

export interface Progress {
  /** Number of samples done, in the current batch too. */
  samples: number;
  /** Number of samples; null until it is known. */
  total: number | null;
  /** Number of finished batches; a killed run continues after them. */
  batches: number;
  samplesPerSecond: number;
  secondsLeft: number | null;
  /** Tokens lost to truncation so far. */
  truncatedTokens?: number | undefined;
  /** Every reason for which records were skipped so far, with the first example. */
  skipped?: Skipped[] | undefined;
  /** Shards of a run that several workers or devices compute. */
  shards?:
    | {
        done: number;
        running: number;
        total: number;
        /** Number of attempts that were lost; each was made again, or will be. */
        lost: number;
      }
    | undefined;
}

export interface Skipped {
  /** Code of the reason, such as `not-json`. */
  reason: string;
  count: number;
  /** The first record that was skipped for this reason. */
  first: {
    /** Path below that of the data set, or name of the only file. */
    file: string;
    /** What `number` counts; `file`: the whole file. */
    unit: 'line' | 'row' | 'item' | 'file';
    /** From 1. */
    number: number;
    /** Beginning of the record or of its value, as one line. */
    excerpt: string;
  };
  en: string;
  zh: string;
}

export interface RecordError {
  code: string;
  message: string;
  fields?: FieldError[] | undefined;
}

export interface FieldError {
  /** Path of the field, such as `saes[2].layer`. */
  path: string;
  /** What is wrong with the field. */
  message: string;
}

export interface EvaluationResult {
  id: string;
  createdAt: string;
  /** `cancelled`: stopped before all samples were done, see `stopped`. */
  status: 'succeeded' | 'partial' | 'failed' | 'cancelled';
  /** True if it was stopped and is over the samples done: `data.samples`. */
  stopped?: boolean | undefined;
  config: RunConfig;
  data: DataSummary;
  results: SaeResult[];
  comparisons: Comparison[];
  findings: Finding[];
  /** How much the dictionaries of each pair on one place are the same, if asked for. */
  dictionaries?: DictionaryComparison[] | undefined;
  /** First-letter absorption, if asked for. */
  absorption?: Absorption | undefined;
  /** Dead, dense and twin latents of each SAE, if the run has a latents table. */
  latents?: LatentsSummary[] | undefined;
  /** What probes find on the labelled data sets, if the request names some. */
  probes?: ProbeResult[] | undefined;
  /** Left out in results of 0.1.0. */
  summary?: Summary | undefined;
  timing: {
    seconds: number;
    /** Time of all devices together, of a run in shards. */
    computeSeconds?: number | undefined;
    tokensPerSecond: number;
  };
  /** Most memory that the process held, and that the run's tensors took on a CUDA device. */
  memory: {
    peakBytes: number;
    devicePeakBytes?: number | undefined;
  };
}

/** The request with every default filled in, and the settings that the run chose. */
export interface RunConfig {
  /** Folder of a Hugging Face model, or its name in the local cache. */
  model: string;
  /** Text to evaluate on. */
  dataset: Dataset;
  /** SAEs to evaluate, all in one pass. */
  saes: ResolvedSaeSpec[];
  /** Metrics to compute; default all. */
  metrics: MetricName[];
  /**
   * Protocols to measure under. saelens and saebench, with a version or without, give the
   * numbers of those tools beside ours, under their names, whatever metrics says.
   */
  protocol: (
    | 'reference'
    | 'strict'
    | 'saelens@6.52'
    | 'saelens@6.45.2'
    | 'saelens@6.44'
    | 'saebench@0.6'
    | 'saelens'
    | 'saebench'
  )[];
  /**
   * Whether the splice of saebench leaves special tokens as they are, as its option
   * --exclude_special_tokens_from_reconstruction does; default: false.
   */
  excludeSpecialsFromReconstruction?: boolean | undefined;
  /**
   * Samples per batch in the averages of `reference`, saelens and saebench; memory depends on it
   * under the latter two alone.
   */
  batchSize: number;
  /**
   * First samples that are spliced: KLDiv, DeltaCE, Recovered and NextTokenAgreement are over
   * them, the other metrics over all. Splices take most of the time. Default: all samples.
   */
  spliceSamples?: number | undefined;
  device: string;
  /** dtype of the language model. */
  dtype: FloatDtype;
  /** dtype of the SAEs. */
  saeDtype: FloatDtype;
  /**
   * Makes a table of all latents of every SAE, with so many top contexts each; 0: the table
   * without contexts. Default: no table.
   */
  latents?: number | undefined;
  /**
   * Positions that strict neither measures nor splices: none, specials, a list of token ids, or
   * { positions: [from, to] }, the range that stays. Default: what the file of each SAE says,
   * else none.
   */
  exclude?: Exclude | undefined;
  /** Number of active latents instead of `k`; a list makes a sweep. */
  inferK?: number | number[] | undefined;
  /** Threshold above which latents are active; a list makes a sweep. */
  theta?: number | number[] | undefined;
  /**
   * Numbers of first latents, increasing, each a point of a sweep: the latents of the whole SAE,
   * zero beyond the prefix. "groups": the nested groups of Matryoshka SAEs, as their files tell.
   * Not beside inferK or theta.
   */
  prefixes?: 'groups' | number[] | undefined;
  /**
   * Whether the dictionaries of each pair of SAEs on one place are compared: PW-MCC and MMCS of
   * their decoders and of their latents on the same tokens. Not in shards. Default false.
   */
  dictionaries?: boolean | undefined;
  /**
   * Whether first-letter absorption is measured: do latents for words take over from the latent
   * for their first letter? By the words of the model's vocabulary. Not in shards. Default
   * false.
   */
  absorption?: boolean | undefined;
  /**
   * Labelled data sets with which the SAEs are probed: does a latent tell the label? Not in
   * shards.
   */
  probes?: ProbeDataset[] | undefined;
  /** Seed of RandomK's layer and of the bootstrap. */
  seed: number;
  /** Name of the run, to find it by. */
  name?: string | undefined;
  /** Tags of the run, to find it by. */
  tags?: string[] | undefined;
  /** Notes on the run, free text. */
  notes?: string | undefined;
  /** Texts by name, such as the commit that wrote the checkpoints. */
  metadata?: Record<string, string> | undefined;
  /** Whether other API keys of the server may read it; default: as the server is set. */
  shared?: boolean | undefined;
  deviceName: string;
  architecture: {
    family: string;
    layers: number;
    width: number;
    vocabulary: number;
    parameters: number;
    /** Remarks on the model's files: what they say and is not used. */
    notes?: Bilingual[] | undefined;
  };
  /** Files that were read, by their content; left out in results of 0.1.0. */
  files?:
    | {
        path: string;
        use: 'settings' | 'weights' | 'text';
        bytes: number;
        sha256?: string | undefined;
        /** SHA-256 of the size and of 64 samples, for files above 32 MiB. */
        sampled?: string | undefined;
      }[]
    | undefined;
  /** Threads that shared an operator. With one, others may have computed other micro-batches. */
  threads: number;
  /**
   * Sequences of seqLen tokens that go through the model together, without padding as many as
   * have their tokens; logits held at a time; lanes that are alive together, if not all. As at
   * the end of the run: it shrinks if memory runs out.
   */
  microBatch: {
    sequences: number;
    logits: number;
    lanes?: number | undefined;
  };
  /** How products of SAEs in float32 are computed. */
  saeProducts: 'float32' | 'bfloat16-parts';
  /** sae-eval, libtorch, node. */
  versions: Record<string, string>;
  /**
   * What the bootstrap of the intervals resamples if it is not sequences: whole batches, above
   * 200,000 samples.
   */
  intervals?:
    | {
        /** Batches that are resampled. */
        batches: number;
      }
    | undefined;
  /** The plan of a run in shards; left out for a run in one piece. */
  plan?:
    | {
        /** Equal for the same request on the same files and texts. */
        digest: string;
        shards: number;
        /** Shards that the numbers are of. */
        merged: number;
      }
    | undefined;
  /** The machines that computed the shards. */
  machines?:
    | {
        host: string;
        /** Processor or GPU with its instructions, and versions. */
        kind: string;
        shards: number;
      }[]
    | undefined;
}

export interface DataSummary {
  samples: number;
  /**
   * First samples that KLDiv, DeltaCE, Recovered and NextTokenAgreement are over; left out if
   * that is all.
   */
  spliceSamples?: number | undefined;
  batches: number;
  realTokens: number;
  /** Padded positions; they count under reference, not under strict. */
  paddedTokens: number;
  /** Records read, skipped ones included; left out in results of 0.1.0. */
  records?: number | undefined;
  skippedRecords: number;
  truncatedTokens: number;
  /** A sentence for each fault of the data. */
  warnings: Bilingual[];
  /** Every reason for which records were skipped; left out in results of 0.1.0. */
  skipped?: Skipped[] | undefined;
}

export interface SaeResult {
  label: string;
  kind: SaeKind;
  checkpoint: string;
  /** Format of the checkpoint: routesae, saelens, dictionary_learning, … */
  format?: string | undefined;
  /**
   * Hook point at which the SAE was evaluated, as the request or the checkpoint names it; null
   * if neither names one.
   */
  hookPoint?: string | null | undefined;
  /** Hook point that a transcoder predicts; `layer` and `site` are its. */
  hookOut?: string | undefined;
  /**
   * Place that a transcoder reads: its layer, or layers, and the site inside the block; left out
   * for SAEs that reconstruct what they read.
   */
  reads?:
    | {
        layer?: number | undefined;
        layers?: number[] | undefined;
        site?:
          | 'attn_z'
          | 'attn_out'
          | 'resid_mid'
          | 'mlp_in'
          | 'ln2_normalized'
          | 'ln2_out'
          | 'mlp_post'
          | 'mlp_out'
          | undefined;
      }
    | undefined;
  /**
   * Normalization that turns activations into the input of the SAE, in whose space errors are
   * measured: pre, none, layer-norm, token-norm or scale, after `centred, ` if the mean is
   * subtracted first.
   */
  normalization?: string | undefined;
  /** Site inside the block of its layer; left out: the residual stream after the block. */
  site?:
    | 'attn_z'
    | 'attn_out'
    | 'resid_mid'
    | 'mlp_in'
    | 'ln2_normalized'
    | 'ln2_out'
    | 'mlp_post'
    | 'mlp_out'
    | undefined;
  /** The one head of attention that it reads at its site, from 0; left out: all. */
  head?: number | undefined;
  /** Single-layer kinds. */
  layer?: number | undefined;
  /** Kinds with several layers. */
  layers?: number[] | undefined;
  /** Mean number of active latents per token that the publisher of the SAE states. */
  publishedL0?: number | undefined;
  /** Width of what it reads. */
  d: number | null;
  /** Width of what a transcoder predicts. */
  dOut?: number | undefined;
  /** Latents. */
  m: number | null;
  /** Active latents, for kinds that have a k. */
  k: number | null;
  /** Prefixes of a Matryoshka SAE’s nested groups, the last of them m, as its file tells. */
  groups?: number[] | undefined;
  routing: 'hard' | 'soft' | null;
  aggregation: 'sum' | 'mean' | null;
  error: ResultError | null;
  positions?: Positions | undefined;
  specials?: SpecialShares | null | undefined;
  reference: ReferenceValues | null;
  strict: StrictValues | null;
  /**
   * Numbers as saelens@6.52 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saelens@6.52'?: ToolValues | null | undefined;
  /**
   * Numbers as saelens@6.45.2 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saelens@6.45.2'?: ToolValues | null | undefined;
  /**
   * Numbers as saelens@6.44 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saelens@6.44'?: ToolValues | null | undefined;
  /**
   * Numbers as saebench@0.6 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saebench@0.6'?: ToolValues | null | undefined;
  /**
   * With saelens or saebench: 95 % interval of explained variance over sequences, from distances
   * to the mean of a batch, by which definitions are told apart; null with fewer than 20.
   */
  explainedVarianceCi95?: [number, number] | null | undefined;
  perLayer: PerLayer[] | null;
  /**
   * Cross-layer transcoders and weakly causal crosscoders: the values of one pass in which all
   * their layers are replaced, each from what that pass has.
   */
  replacement?: ReplacementValues | null | undefined;
  sweep: SweepPoint[] | null;
  notes: Note[];
}

export interface ResultError {
  code: string;
  message: string;
}

/** Positions that count for an SAE under strict. */
export interface Positions {
  /** Rules that take positions out, as a request writes them; empty: all count. */
  exclude: Exclude[];
  /** Who says so. */
  from: 'request' | 'file' | 'default';
  /** Roles of a conversation whose tokens count, as the request says; else all. */
  roles?: ('system' | 'developer' | 'user' | 'assistant' | 'tool')[] | undefined;
  /** Real tokens that count. */
  counted: number;
  /** Real tokens. */
  real: number;
}

/**
 * Share of special tokens in the real tokens, in Σ‖x̂ − x‖² and in the active latents; null if
 * the SAE leaves positions out, or the text has no special token.
 */
export interface SpecialShares {
  tokens: number;
  squaredError: number | null;
  activeLatents: number | null;
}

export interface ToolValues {
  /** Share of the KL of a zeroed site that the splice avoids. */
  kl_div_score: number | null;
  /** KL(clean ‖ spliced), nats per token. */
  kl_div_with_sae: number | null;
  /** KL(clean ‖ site at zero), nats per token. */
  kl_div_with_ablation: number | null;
  /** Share of the loss of a zeroed site that the splice avoids. */
  ce_loss_score: number | null;
  /** Cross-entropy with the splice. */
  ce_loss_with_sae: number | null;
  /** Cross-entropy of the model itself. */
  ce_loss_without_sae: number | null;
  /** Cross-entropy with the site at zero. */
  ce_loss_with_ablation: number | null;
  /** Explained variance of the activations, as this version defines it. */
  explained_variance: number | null;
  /** Mean over tokens of 1 − squared error over squared distance from the mean of the batch. */
  explained_variance_legacy: number | null;
  /** Squared error of a token, as this version averages it. */
  mse: number | null;
  /** Cosine of activations and reconstructions. */
  cossim: number | null;
  /** Mean norm of the activations. */
  l2_norm_in: number | null;
  /** Mean norm of the reconstructions. */
  l2_norm_out: number | null;
  /** Mean of the ratio of both norms. */
  l2_ratio: number | null;
  /** Mean over batches of the mean ‖ĥ‖² over the mean h · ĥ. */
  relative_reconstruction_bias: number | null;
  /** Active latents per token. */
  l0: number | null;
  /** Sum of the latents of a token. */
  l1: number | null;
  /** Share of latents that were active. */
  frac_alive: number | null;
  /** Share of latents active on more than 1 % of the tokens. */
  freq_over_1_percent: number | null;
  /** Share of latents active on more than 10 % of the tokens. */
  freq_over_10_percent: number | null;
  /** Part of all activity that these have (1 %). */
  normalized_freq_over_1_percent: number | null;
  /** Part of all activity that these have (10 %). */
  normalized_freq_over_10_percent: number | null;
  /** Mean over latents of the largest cosine with another encoder row. */
  average_max_encoder_cosine_sim?: number | null | undefined;
  /** Mean over latents of the largest cosine with another decoder row. */
  average_max_decoder_cosine_sim?: number | null | undefined;
}

export interface SweepPoint {
  inferK?: number | undefined;
  theta?: number | undefined;
  /** Number of first latents that count; the whole SAE has its own values. */
  prefix?: number | undefined;
  reference: ReferenceValues | null;
  strict: StrictValues | null;
  /**
   * Numbers as saelens@6.52 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saelens@6.52'?: ToolValues | null | undefined;
  /**
   * Numbers as saelens@6.45.2 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saelens@6.45.2'?: ToolValues | null | undefined;
  /**
   * Numbers as saelens@6.44 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saelens@6.44'?: ToolValues | null | undefined;
  /**
   * Numbers as saebench@0.6 defines them; null if it has none for such an SAE, left out if the
   * request does not ask for it.
   */
  'saebench@0.6'?: ToolValues | null | undefined;
}

export interface Note {
  metric: string;
  en: string;
  zh: string;
}

export interface Comparison {
  /** A metric of `strict`. */
  metric: string;
  a: string;
  b: string;
  /** Mean of a minus mean of b. */
  difference: number;
  ci95: [number, number] | null;
  /** Mean of a over mean of b; left out if they are not both above 0. */
  ratio?: number | undefined;
  /** 95 % interval of the ratio, on the same resamples as the difference. */
  ratioCi95?: [number, number] | undefined;
}

export interface Finding {
  severity: 'info' | 'warning' | 'error';
  code: string;
  /** Label of the SAE; null if the finding is about the run. */
  sae: string | null;
  message: Bilingual;
  evidence: Record<string, number | string>;
}

export interface DictionaryComparison {
  a: string;
  b: string;
  /** Whether a similarity keeps its sign, or its size counts. */
  similarity: 'signed' | 'absolute';
  /** By cosines of the decoder rows. */
  decoders: DictionarySimilarity;
  /** By correlations of the latents on the same tokens; null: see notes. */
  activations: {
    /** Latents of a and of b that are compared. */
    latents: [number, number];
    /**
     * Latents of a and of b without a direction (a decoder row of zeros), or whose activation
     * never changes.
     */
    leftOut: [number, number];
    /** Pairs of the matching: the smaller number of latents. */
    pairs: number;
    /** Mean similarity of the pairs of the best one-to-one matching. */
    pwMcc: number | null;
    /** Share of the pairs whose similarity is at least 0.7. */
    shared: number | null;
    /** `exact`: the best assignment. `auction`: among the candidates of each latent. */
    method: 'exact' | 'auction';
    /** What pwMcc may fall short of the best matching at most. */
    gap: number;
    /** Nearest latents on either side among which the auction matched; null: all. */
    candidates: number | null;
    /** Mean over a's latents of the largest similarity to a latent of b. */
    mmcs: number | null;
    /** Mean over b's latents of the largest similarity to a latent of a. */
    mmcsTurned: number | null;
    /** Positions that the correlations are over. */
    tokens: number;
  } | null;
  notes: Bilingual[];
}

export interface DictionarySimilarity {
  /** Latents of a and of b that are compared. */
  latents: [number, number];
  /**
   * Latents of a and of b without a direction (a decoder row of zeros), or whose activation
   * never changes.
   */
  leftOut: [number, number];
  /** Pairs of the matching: the smaller number of latents. */
  pairs: number;
  /** Mean similarity of the pairs of the best one-to-one matching. */
  pwMcc: number | null;
  /** Share of the pairs whose similarity is at least 0.7. */
  shared: number | null;
  /** `exact`: the best assignment. `auction`: among the candidates of each latent. */
  method: 'exact' | 'auction';
  /** What pwMcc may fall short of the best matching at most. */
  gap: number;
  /** Nearest latents on either side among which the auction matched; null: all. */
  candidates: number | null;
  /** Mean over a's latents of the largest similarity to a latent of b. */
  mmcs: number | null;
  /** Mean over b's latents of the largest similarity to a latent of a. */
  mmcsTurned: number | null;
}

export interface Absorption {
  /** Words of the vocabulary: tokens of letters alone. */
  words: number;
  saes: {
    sae: string;
    /** Mean share of a letter that other latents took over. */
    fraction: {
      mean: number;
      /** 95 % percentile bootstrap over the tested words; null with fewer than 20. */
      ci95: [number, number] | null;
    } | null;
    /** Share of words whose letter one other latent took over. */
    full: {
      mean: number;
      /** 95 % percentile bootstrap over the tested words; null with fewer than 20. */
      ci95: [number, number] | null;
    } | null;
    /** Mean number of latents beyond the first that a letter is split among. */
    splits: number | null;
    letters: {
      letter: string;
      /** F1 of the activations' own probe on the tested words. */
      f1: number;
      /** Tested words whose letter that probe tells. */
      words: number;
      /** Latents of the letter. */
      latents: number[];
      fraction: number;
      full: number;
    }[];
    error: {
      code: string;
      message: string;
    } | null;
  }[];
}

/** What a latents table says of an SAE. */
export interface LatentsSummary {
  /** Label of the SAE. */
  sae: string;
  /** Number of its latents. */
  m: number;
  /** Positions that count; of an MLSAE position-layer pairs. */
  positions: number;
  /** Latents that are never active. */
  dead: number;
  /** Latents that are active on more than a tenth of the positions. */
  dense: number;
  /** Latents whose decoder row has a cosine of 0.9 or more with another one. */
  twins: number | null;
}

export interface ProbeResult {
  name: string;
  path: string;
  labels: {
    label: string;
    documents: number;
  }[];
  /** Records without a usable text or label. Those beyond maxPerLabel do not count. */
  skippedRecords: number;
  saes: {
    sae: string;
    /** Null if it was not asked for. */
    sparseProbing: SparseProbing | null;
    /** Null if it was not asked for, and of transcoders. */
    targetedPerturbation: TargetedPerturbation | null;
    /** Null if it was not asked for, and of transcoders. */
    spuriousRemoval: SpuriousRemoval | null;
    error: {
      code: string;
      message: string;
    } | null;
  }[];
}

export interface SparseProbing {
  /** Probes on the latents' means over a document. */
  latents: {
    /** Probes on the k features whose means differ most between the classes. */
    top: {
      k: number;
      accuracy: ProbeAccuracy;
    }[];
    /** Probes on all features. */
    all: ProbeAccuracy;
  };
  /** Probes on the means of the activations themselves. */
  activations: {
    /** Probes on the k features whose means differ most between the classes. */
    top: {
      k: number;
      accuracy: ProbeAccuracy;
    }[];
    /** Probes on all features. */
    all: ProbeAccuracy;
  };
  labels: {
    label: string;
    /** Latents whose means differ most over all documents, the first one first. */
    latents: number[];
    /** Share of documents that the probes on k latents told right. */
    accuracy: {
      k: number;
      mean: number;
    }[];
  }[];
}

export interface ProbeAccuracy {
  /** Share of documents that were told right, averaged over the labels. */
  mean: number;
  /** 95 % percentile bootstrap over documents; null with fewer than 20. */
  ci95: [number, number] | null;
  /** The same on the documents of each fold. */
  folds: number[];
}

export interface TargetedPerturbation {
  /** Accuracy of the probes, averaged over the labels. */
  clean: number;
  top: {
    /** Latents of a label that were set to zero. */
    latents: number;
    /** Accuracy lost by the own probe less that of the others. */
    score: {
      mean: number;
      ci95: [number, number] | null;
    };
    /** Accuracy that the probe of the label itself lost. */
    intended: number;
    /** Accuracy that the probes of the others lost. */
    unintended: number;
  }[];
}

export interface SpuriousRemoval {
  /** What the biased probe was fitted on: the two kinds of documents. */
  biased: string;
  /** What the scores are about: what the biased probe tells worse before. */
  direction: 'label' | 'spurious';
  /** Accuracy of the biased probe on balanced documents. */
  before: number;
  /** Accuracy of a probe that was fitted on balanced documents. */
  clean: number;
  top: {
    /** Latents of the other direction set to zero. */
    latents: number;
    /** (after − before) / (clean − before). */
    score: {
      mean: number;
      ci95: [number, number] | null;
    };
    /** Accuracy of the biased probe with them at zero. */
    after: number;
  }[];
}

/** What the numbers say, in the order of a report; empty if they say nothing. */
export interface Summary {
  statements: Statement[];
}

export interface Statement {
  /** Rule that the sentence follows from. */
  code: string;
  /** Labels of the SAEs that it speaks of. */
  saes: string[];
  message: Bilingual;
  /** The numbers that it cites. */
  evidence: Record<string, number | string>;
}

export interface EvaluationSummary {
  id: string;
  status: EvaluationStatus;
  /** Time, ISO 8601 in UTC. */
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  request: ResolvedRequest;
  /** Device that it asks for; `config.device` of the result is the one that it had. */
  device: string;
  /** Label of the API key that submitted it; null without keys. */
  submittedBy: string | null;
  /** Whether other API keys may read it: as its request says, else as the server is set. */
  shared: boolean;
  /** Whether it was stopped and has a result over the samples done until then. */
  stopped: boolean;
  /** Id of the evaluation that this one repeats, with or without changes; else null. */
  rerunOf: string | null;
  /**
   * Position in the queue of its device, from 1; null if it does not wait, or no device of the
   * machine takes it.
   */
  position: number | null;
  /** The device that it waits for if this machine does not have it now; else null. */
  waitingFor: Bilingual | null;
  /** Number of times a compute process started it. */
  attempts: number;
  progress: Progress | null;
  error: RecordError | null;
}

export interface EvaluationList {
  items: EvaluationListItem[];
  nextCursor: string | null;
  /** Ids of evaluations that are left out because their records are damaged. */
  damaged: string[];
}

export interface EvaluationListItem {
  id: string;
  status: EvaluationStatus;
  /** Time, ISO 8601 in UTC. */
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  request: ResolvedRequest;
  /** Device that it asks for; `config.device` of the result is the one that it had. */
  device: string;
  /** Label of the API key that submitted it; null without keys. */
  submittedBy: string | null;
  /** Whether other API keys may read it: as its request says, else as the server is set. */
  shared: boolean;
  /** Whether it was stopped and has a result over the samples done until then. */
  stopped: boolean;
  /** Id of the evaluation that this one repeats, with or without changes; else null. */
  rerunOf: string | null;
  /**
   * Position in the queue of its device, from 1; null if it does not wait, or no device of the
   * machine takes it.
   */
  position: number | null;
  /** The device that it waits for if this machine does not have it now; else null. */
  waitingFor: Bilingual | null;
  /** Number of times a compute process started it. */
  attempts: number;
  progress: Progress | null;
  error: RecordError | null;
  /** Null until there is a result. */
  headline: Headline | null;
}

/** The numbers of a result that a list shows. */
export interface Headline {
  /** The first 20 SAEs, in the order of the request. */
  saes: {
    label: string;
    kind: SaeKind;
    /**
     * Values that are single numbers, such as `strict.KLDivPerToken` (a mean) and
     * `reference.KLDiv`; those that the SAE does not have are left out.
     */
    values: Record<string, number>;
  }[];
  /** Number of further SAEs. */
  more: number;
  /** Compute time. */
  seconds: number | null;
}
