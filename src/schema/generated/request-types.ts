/**
 * Requests as users write them.
 * Made from the schemas by `npx vitest run test/schema --update`: do not edit.
 */
import type { FloatDtype, MetricName, NormalizationName, SaeKind } from '../names.js';

/** An evaluation as a user asks for it; defaults may be left out. */
export interface EvaluationRequest {
  /** Folder of a Hugging Face model, or its name in the local cache. */
  model: string;
  /** Text to evaluate on. */
  dataset: Dataset;
  /** SAEs to evaluate, all in one pass. */
  saes: SaeSpec[];
  /** Metrics to compute; default all. */
  metrics?: MetricName[] | undefined;
  /**
   * Protocols to measure under. saelens and saebench, with a version or without, give the
   * numbers of those tools beside ours, under their names, whatever metrics says. @default
   * ["reference","strict"]
   */
  protocol?:
    | (
        | 'reference'
        | 'strict'
        | 'saelens@6.52'
        | 'saelens@6.45.2'
        | 'saelens@6.44'
        | 'saebench@0.6'
        | 'saelens'
        | 'saebench'
      )[]
    | undefined;
  /**
   * Whether the splice of saebench leaves special tokens as they are, as its option
   * --exclude_special_tokens_from_reconstruction does; default: false.
   */
  excludeSpecialsFromReconstruction?: boolean | undefined;
  /**
   * Samples per batch in the averages of `reference`, saelens and saebench; memory depends on it
   * under the latter two alone. @default 64
   */
  batchSize?: number | undefined;
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
  /** dtype of the language model. @default "float32" */
  dtype?: FloatDtype | undefined;
  /** dtype of the SAEs. @default "float32" */
  saeDtype?: FloatDtype | undefined;
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
  /** Seed of RandomK's layer and of the bootstrap. @default 42 */
  seed?: number | undefined;
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
  /** Field of a record that has its text, or a dotted path to it. @default "text" */
  textField?: string | undefined;
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
  /** Most samples to read. @default 10000 */
  maxSamples?: number | undefined;
  /** Tokens per sample, up to the positions of the model. @default 512 */
  seqLen?: number | undefined;
}

export interface SaeSpec {
  /**
   * Path of a checkpoint file, or of a folder or file in a published format; or its name in the
   * local Hugging Face cache: org/name[@revision][:path].
   */
  checkpoint?: string | undefined;
  /**
   * Several checkpoints instead of one: a pattern such as runs/*\/ae.pt, or a folder with SAEs.
   * Each becomes an SAE, labeled by what differs in its path; the other fields hold for all.
   */
  checkpoints?: string | undefined;
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

export type Exclude =
  | 'none'
  | 'specials'
  | number[]
  | {
      /** Range of positions that stays, as a slice: from, to and step. */
      positions: [number | null, number | null] | [number | null, number | null, number | null];
    };

export interface ProbeDataset {
  /** Path of a data file, or of a folder of them, whose records have a text and a label. */
  path: string;
  /** Name of the data set in the result; default: its path. */
  name?: string | undefined;
  /** Split to read, if the files of several lie together. */
  split?: string | undefined;
  /** Field of a record that has its text. @default "text" */
  textField?: string | undefined;
  /**
   * Field of a record that has its label: a string, a whole number or a boolean. @default
   * "label"
   */
  labelField?: string | undefined;
  /** Tokens of a text that are read, from its beginning. @default 128 */
  seqLen?: number | undefined;
  /** Documents of each label, the first ones. @default 1000 */
  maxPerLabel?: number | undefined;
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
